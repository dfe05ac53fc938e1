import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { event as eventKind } from '../api/kinds/event.ts';
import { systemClock } from '../base/clock.ts';
import { until } from '../base/until.ts';
import { measureMs } from './pods/volume-limits.ts';
import { startTestCluster } from './testing-cluster.ts';

test('a pod is evicted when what it writes outgrows the sizeLimit of its emptyDir, and not before', async (t) => {
  const cluster = await startTestCluster(t);
  await cluster.build('web:1');
  // The lease is renewed as often, so what is due is more than the measuring.
  const due: (() => void)[] = [];
  const clock = {
    ...systemClock,
    after: (delayMs: number, action: () => void) => {
      if (delayMs !== measureMs) return systemClock.after(delayMs, action);
      due.push(action);
      return () => {};
    },
  };
  await cluster.startNode({ clock });
  const created = await cluster.createPod({
    terminationGracePeriodSeconds: 0,
    volumes: [{ name: 'scratch', emptyDir: { sizeLimit: '1Mi' } }],
    containers: [{ name: 'web', image: 'web:1', volumeMounts: [{ name: 'scratch', mountPath: '/scratch' }] }],
  });
  await cluster.podWhen('it runs', ({ status }) => status?.phase === 'Running');
  const { hostPath } = cluster.shim.specs.get(`${created.metadata!.uid}/web/0`)!.mounts[0]!;
  const measure = () => {
    for (const action of due.splice(0)) action();
  };
  await mkdir(join(hostPath, 'deep'));
  await writeFile(join(hostPath, 'deep/a'), Buffer.alloc(700 * 1024, 1));
  measure();
  await until('all that was due has been done', async () => due.length > 0);
  assert.equal((await cluster.pod())?.status?.phase, 'Running');
  await writeFile(join(hostPath, 'b'), Buffer.alloc(700 * 1024, 1));
  await until('it is evicted', async () => {
    measure();
    return (await cluster.pod())?.status?.phase === 'Failed';
  });
  const { status } = await cluster.podWhen('it has failed', (pod) => pod.status?.phase === 'Failed');
  const message = 'Usage of EmptyDir volume "scratch" exceeds the limit "1Mi". ';
  assert.deepEqual([status?.reason, status?.message], ['Evicted', message]);
  await until('the event', async () => {
    const { items } = await cluster.admin.list(eventKind, { namespace: 'default' });
    return items.some((event) => event.reason === 'Evicted' && event.message === message);
  });
});
