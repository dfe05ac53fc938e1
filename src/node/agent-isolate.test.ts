import assert from 'node:assert/strict';
import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { type Pod, pod as podKind } from '../api/kinds/pod.ts';
import { systemClock } from '../base/clock.ts';
import { silentLog } from '../base/log.ts';
import { until } from '../base/until.ts';
import { readLog } from './kubelet/log-reader.ts';
import { connectShim } from './runtimes/shim/client.ts';
import { startTestCluster } from './testing-cluster.ts';

const isReady = ({ status }: Pod): boolean =>
  status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') ?? false;

test('a real isolate answers, logs, survives its agent, is restarted when it is killed, and ends', async (t) => {
  const cluster = await startTestCluster(t);
  const source = `
    console.log('mode is', process.env.MODE);
    export default { fetch: () => new Response('hello from ' + process.pid) };
  `;
  await cluster.build('web:1', source);
  const { dataDir } = cluster;
  const connect = (options: { spawnIfAbsent: boolean }) =>
    connectShim({ dataDir, log: silentLog, ...options });
  const first = await cluster.startNode({ connectShim: connect });
  t.after(async () => {
    const shim = await connect({ spawnIfAbsent: false }).catch(() => undefined);
    await shim?.shutdown({ graceSeconds: 0 });
  });
  const readinessProbe = { httpGet: { path: '/', port: 8080 }, periodSeconds: 1 };
  const env = [{ name: 'MODE', value: 'real' }];
  await cluster.createPod({
    terminationGracePeriodSeconds: 5,
    containers: [{ name: 'web', image: 'web:1', env, readinessProbe }],
  });
  const ready = await cluster.podWhen('it is ready', isReady);

  const shim = await connect({ spawnIfAbsent: false });
  const answer = async () => {
    const socket = await shim.dial({ podIP: ready.status!.podIP!, port: 8080 });
    return new Promise<string>((resolve, reject) => {
      const sent = request({ path: '/', createConnection: () => socket, headers: { connection: 'close' } });
      sent.on('error', reject);
      sent.on('response', (response) => resolve(text(response)));
      sent.end();
    });
  };
  const said = await answer();
  assert.match(said, /^hello from \d+$/);

  const id = ready.status!.containerStatuses![0]!.containerID!.replace('isolate://', '');
  const uid = ready.metadata!.uid!;
  const path = `${dataDir}/logs/default_web_${uid}/web/0.log`;
  const query = { follow: false, previous: false, timestamps: false };
  const { signal } = new AbortController();
  const log = await Array.fromAsync(
    readLog({ path, query, clock: systemClock, signal, isAlive: () => false }),
  );
  assert.equal(Buffer.concat(log).toString(), 'mode is real\n');

  await first.stop();
  assert.equal(await answer(), said, 'the same process answers while there is no agent');
  const second = await cluster.startNode({ connectShim: connect });
  await second.hasSynced();
  assert.equal(await answer(), said, 'and after the next agent has come');

  const state = (await shim.list()).find((each) => each.id === id)!;
  process.kill(state.pid!, 'SIGKILL');
  const restarted = await cluster.podWhen(
    'it was restarted',
    (pod) => isReady(pod) && pod.status!.containerStatuses![0]!.restartCount === 1,
  );
  assert.equal(restarted.status!.containerStatuses![0]!.lastState!.terminated!.exitCode, 137);
  assert.notEqual(await answer(), said);

  await cluster.admin.delete(podKind, { namespace: 'default', name: 'web' });
  await until('it is gone', async () => (await cluster.pod()) === undefined);
  await until('nothing is left', async () => (await shim.list()).length === 0);
  await shim.close();
  await second.shutdown({ graceSeconds: 1 });
});
