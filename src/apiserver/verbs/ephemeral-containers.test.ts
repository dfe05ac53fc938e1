import assert from 'node:assert/strict';
import { test } from 'node:test';
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
});
