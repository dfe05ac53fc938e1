import assert from 'node:assert/strict';
import { test } from 'node:test';
import { node } from '../../api/kinds/node.ts';
import { type Pod, pod } from '../../api/kinds/pod.ts';
import { createClient } from '../../client/create-client.ts';
import { startTestServer } from '../test-server.ts';

test('ephemeral containers are added through their subresource, and neither changed nor removed', async (t) => {
  const server = await startTestServer({ listens: false });
  t.after(() => server.close());
  const client = createClient(server.server.transport());
  const spec = { containers: [{ name: 'web', image: 'web:1' }] };
  await client.create(pod, { metadata: { name: 'web', namespace: 'default' }, spec } as Pod);
  const add = (container: object) =>
    client.patch<Pod>(
      pod,
      { namespace: 'default', name: 'web' },
      { type: 'strategic', body: { spec: { ephemeralContainers: [container] } } },
      { subresource: 'ephemeralcontainers' },
    );
  const debug = { name: 'debug', image: 'shell:1', targetContainerName: 'web' };
  const added = await add(debug);
  assert.equal(added.spec?.ephemeralContainers?.[0]?.terminationMessagePath, '/dev/termination-log');
  assert.equal((await add({ name: 'other', image: 'shell:1' })).spec?.ephemeralContainers?.length, 2);
  await assert.rejects(add({ ...debug, image: 'shell:2' }), /"debug" may not be changed/);
  await assert.rejects(
    add({ name: 'x', image: 'a:1', targetContainerName: 'nope' }),
    /spec.ephemeralContainers\[\d\].targetContainerName: Not found: "nope"/,
  );
  await assert.rejects(
    add({ name: 'x', image: 'a:1', ports: [{ containerPort: 80 }] }),
    /ports: Forbidden: cannot be set for an Ephemeral Container/,
  );
  await assert.rejects(add({ $patch: 'delete', name: 'debug' }), /"debug" may not be removed/);

  const at = { namespace: 'default', name: 'web' };
  const body = { spec: { ephemeralContainers: [{ name: 'late', image: 'shell:1' }] } };
  const otherwise = /spec: Forbidden: pod updates may not change fields other than `spec.containers/;
  await assert.rejects(client.patch(pod, at, { type: 'strategic', body }), otherwise);
  const current = await client.get(pod, at);
  const without = { ...current, spec: { ...current.spec, ephemeralContainers: [] } } as Pod;
  await assert.rejects(client.update(pod, without), otherwise);
  await client.patch(pod, at, { type: 'merge', body: { metadata: { labels: { a: 'b' } } } });
  const born = { metadata: { ...at, name: 'born' }, spec: { ...spec, ...body.spec } };
  await assert.rejects(
    client.create(pod, born as Pod),
    /spec.ephemeralContainers: Forbidden: cannot be set on create/,
  );
});

test('pods and nodes count no generations', async (t) => {
  const server = await startTestServer({ listens: false });
  t.after(() => server.close());
  const client = createClient(server.server.transport());
  const at = { namespace: 'default', name: 'web' };
  const containers = [{ name: 'web', image: 'web:1' }];
  const made = await client.create(pod, { metadata: at, spec: { containers } });
  assert.equal(made.metadata?.generation, undefined);
  const newer = { spec: { containers: [{ name: 'web', image: 'web:2' }] } };
  const changed = await client.patch(pod, at, { type: 'strategic', body: newer });
  assert.equal(changed.metadata?.generation, undefined);
  const registered = await client.create(node, { metadata: { name: 'n1' } });
  assert.equal(registered.metadata?.generation, undefined);
});
