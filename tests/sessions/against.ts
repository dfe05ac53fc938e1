import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openShell } from '../shell.ts';
import { readSession, runGroup, sessionFiles, textOf } from './group.ts';
import { startKubernetes } from './kubernetes/control-plane.ts';
import { startNodeAgent } from './kubernetes/node-agent.ts';

/**
 * Types the session files to Kubernetes' own control plane, and prints where it shows something else than they say.
 * Ends with 1 where nobody has said why (`@ours WHY` in the file).
 * Run: `node tests/sessions/against.ts --kube-apiserver FILE --etcd FILE --kube-controller-manager FILE
 * --kube-scheduler FILE [--only TEXT,TEXT]`, with the newest kubectl on the PATH.
 */

const { values: flags } = parseArgs({
  options: {
    etcd: { type: 'string', default: 'etcd' },
    'kube-apiserver': { type: 'string', default: 'kube-apiserver' },
    'kube-controller-manager': { type: 'string', default: 'kube-controller-manager' },
    'kube-scheduler': { type: 'string', default: 'kube-scheduler' },
    only: { type: 'string', default: '' },
  },
});
const atOnce = 3;

const cleanUps: (() => unknown)[] = [];
const shell = openShell({ after: (cleanUp: () => unknown) => cleanUps.push(cleanUp) });
const dir = mkdtempSync(join(shell.home, 'kubernetes-'));
mkdirSync(join(shell.home, '.kube'));
const stopping = new AbortController();
const { client, stop } = await startKubernetes(flags, {
  dir,
  kubeconfig: join(shell.home, '.kube', 'config'),
});
try {
  await startNodeAgent(client, stopping.signal);
  await shell.run('kubectl wait --for=condition=Ready node/local --timeout=60s');
  const waiting = sessionFiles(flags.only.split(','));
  let differing = 0;
  const work = async () => {
    for (let file = waiting.shift(); file; file = waiting.shift()) {
      const { ours } = readSession(file);
      if (ours) console.log(`${file}: left out, ${ours}`);
      if (ours) continue;
      const divergences = await runGroup(shell, file, { isOurs: false });
      const unexplained = divergences.filter(({ step }) => !step.ours);
      differing += unexplained.length;
      for (const divergence of unexplained) console.log(textOf(divergence));
      console.log(
        `${file}: ${unexplained.length} differ, ${divergences.length - unexplained.length} for a reason given`,
      );
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  process.exitCode = differing > 0 ? 1 : 0;
} finally {
  stopping.abort();
  await stop();
  for (const cleanUp of cleanUps) await cleanUp();
  rmSync(dir, { recursive: true, force: true });
}
