// Sessions at a terminal, by a real kubectl against `selvage up`: each file of sessions/ is what a person types and sees.
import assert from 'node:assert/strict';
import { globSync, mkdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { matches, parseSession, type Step } from './sessions/session.ts';
import { kubectlMinor, missing, openShell, type Shell } from './shell.ts';

const folder = join(import.meta.dirname, 'sessions');
/** `SESSION=apply` runs the files with that in their names. */
const files = globSync('*.txt', { cwd: folder }).filter((file) => file.includes(process.env.SESSION ?? ''));
const repeatMs = 60_000;

test('kubectl shows and says what it does with Kubernetes', {
  skip: missing('kubectl', 'diff', 'curl'),
  timeout: 600_000,
  concurrency: 3,
}, async (t) => {
  assert.ok(files.length > 0, 'no sessions');
  const shell = openShell(t);
  await shell.start('selvage up --port 0').until(/API ready/);
  await shell.run('until kubectl wait --for=condition=Ready node/local --timeout=60s; do sleep 0.1; done');
  const groups = files.sort().map((file) => t.test(basename(file, '.txt'), () => runGroup(shell, file)));
  await Promise.all(groups);
});

/** Runs a file in a folder and a namespace of its own, to its end, and tells all that differs. */
async function runGroup(shell: Shell, file: string): Promise<void> {
  const { steps, ...range } = parseSession(readFileSync(join(folder, file), 'utf8'));
  assert.ok(steps.length > 0, `${file} has no commands`);
  if (!isFor(range)) return;
  const group = basename(file, '.txt');
  const home = join(shell.home, group);
  mkdirSync(home);
  const inHome = `cd ${home}; export KUBECONFIG=${home}/kubeconfig`;
  await shell.run(
    `${inHome}; cp ~/.kube/config kubeconfig; kubectl create namespace ${group} && ` +
      `until kubectl -n ${group} get serviceaccount default; do sleep 0.1; done && ` +
      `kubectl config set-context --current --namespace=${group}`,
  );
  const differences: string[] = [];
  for (const step of steps.filter(isFor)) {
    const difference = await runStep(shell, step, inHome);
    if (difference !== undefined) differences.push(`sessions/${file}:${step.line} ${difference}`);
  }
  assert.equal(differences.length, 0, differences.join('\n'));
}

const isFor = ({ since, before }: { since: number; before: number }) =>
  kubectlMinor >= since && kubectlMinor < before;

async function runStep(shell: Shell, step: Step, prologue: string): Promise<string | undefined> {
  const deadlineMs = Date.now() + repeatMs;
  for (;;) {
    const output = await shell.run(
      `exec 2>&1; ${prologue}\n${step.command}\ncode=$?; [ $code = 0 ] || echo "[exit $code]"`,
    );
    if (matches(step.expected, output)) return undefined;
    if (step.repeats && Date.now() < deadlineMs) continue;
    return `$ ${step.command}\n${output}--- expected:\n${step.expected.join('\n')}\n---`;
  }
}
