import assert from 'node:assert/strict';
import { test } from 'node:test';
import { garbageCollector } from '../base/garbage-collector.ts';
import type { Transport } from '../client/transport.ts';
import { send } from './test-request.ts';
import { startTestServer } from './test-server.ts';

const objects = 150;
const payload = 'x'.repeat(8192);
const configMaps = '/api/v1/namespaces/default/configmaps';

test('objects that were written, read and deleted leave nothing on the heap', async () => {
  const started = await startTestServer({ listens: false });
  const transport = started.server.transport();
  const collect = garbageCollector();
  const heapAfterRounds = async (rounds: number) => {
    for (let round = 0; round < rounds; round++) await writeAndDelete(transport);
    collect();
    return process.memoryUsage().heapUsed;
  };
  // By then what keeps the newest events and encodings is full.
  const before = await heapAfterRounds(4);
  const grown = (await heapAfterRounds(4)) - before;
  const written = 4 * objects * payload.length;
  assert.ok(grown < written / 4, `the heap has grown by ${grown} bytes of ${written} written`);
  await started.close();
});

async function writeAndDelete(transport: Transport): Promise<void> {
  const names = Array.from({ length: objects }, (_, index) => `held-${index}`);
  for (const name of names) {
    const body = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name },
      data: { [name]: name + payload },
    };
    assert.equal((await send(transport, `POST ${configMaps}`, { body })).code, 201);
  }
  assert.equal((await send(transport, `GET ${configMaps}`)).object.items?.length, objects);
  for (const name of names) await send(transport, `DELETE ${configMaps}/${name}`);
}
