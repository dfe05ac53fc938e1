import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { kinds } from '../src/api/kinds/index.ts';
import { coreExamples } from '../src/apiserver/examples/core.ts';
import { networkingExamples } from '../src/apiserver/examples/networking.ts';
import { storageExamples } from '../src/apiserver/examples/storage.ts';
import { workloadExamples } from '../src/apiserver/examples/workloads.ts';
import { startTestServer, type TestServer } from '../src/apiserver/test-server.ts';
import { kubectlMinor } from './shell.ts';

/** One object of each kind, by a real kubectl against a real API server. */

const isMissing = kubectlMinor === 0;
const isCi = process.env.CI === 'true';
/** Older ones describe some kinds through versions that are long gone. */
const describesAll = kubectlMinor >= 22;

const examples = [...coreExamples, ...networkingExamples, ...storageExamples, ...workloadExamples];
const items = examples.map(({ kind, apiVersion, object }) => ({
  apiVersion,
  kind: kind.split('.')[0],
  ...object,
}));
const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items });

let running: TestServer;
let kubeconfig: string;

function run(line: string, input = ''): Promise<string> {
  const env = { PATH: process.env.PATH ?? '', HOME: running.dir, KUBECONFIG: kubeconfig };
  return new Promise((resolve, reject) => {
    const child = execFile(
      'kubectl',
      line.split(' '),
      { env, encoding: 'utf8', timeout: 60_000 },
      (error, out, err) => {
        if (error) reject(new Error(`kubectl ${line}: ${err}${out}`));
        else resolve(out);
      },
    );
    child.stdin?.end(input);
  });
}

describe('kubectl and every kind', { skip: isMissing && !isCi && 'kubectl is not installed' }, () => {
  before(async () => {
    assert.ok(!isMissing, 'kubectl is not installed');
    running = await startTestServer();
    kubeconfig = running.writeKubeconfig('selvage-admin');
  });
  after(() => running?.close());

  test('creates, shows, describes and deletes one object of each', async () => {
    const created = await run('create -f -', list);
    assert.equal(created.trim().split('\n').length, items.length, created);
    const shown = await run('get -o wide -f -', list);
    for (const item of items) {
      const { name } = (item as unknown as { metadata: { name: string } }).metadata;
      assert.match(shown, new RegExp(`(^|/)${name.replaceAll('.', '\\.')}\\s`, 'm'));
    }
    assert.match(
      shown,
      /ingress\.networking\.k8s\.io\/web +edge +shop\.example\.com,\*\.example\.com +80, 443/,
    );
    if (describesAll) {
      const described = await run('describe -f -', list);
      assert.match(described, /PodSelector: +role=db/);
      assert.match(described, /NotReadyAddresses: +fd00::2/);
    }
    assert.match(await run('get events.events.k8s.io noted -o jsonpath={.note}'), /^assigned$/);
    assert.match(await run('get events noted -o jsonpath={.message}'), /^assigned$/);
    const deleted = await run('delete --wait=false -f -', list);
    assert.equal(deleted.trim().split('\n').length, items.length, deleted);
  });

  test('explains every kind with all of its fields', async () => {
    for (const { group, version, kind, plural } of kinds) {
      const apiVersion = group === '' ? version : `${group}/${version}`;
      const explained = await run(`explain ${plural} --recursive --api-version=${apiVersion}`);
      assert.match(explained, new RegExp(`KIND: +${kind}\\n`));
      assert.match(explained, /metadata\t<(ObjectMeta|Object)>/);
      assert.match(explained, /managedFields/);
    }
  });

  test('lists the parts of the control plane and what serves each version', async () => {
    assert.match(await run('get componentstatuses'), /store +Healthy +ok/);
  });
});
