import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Node } from '../api/kinds/node.ts';
import { FakeClock } from '../base/clock.ts';
import { StatusError } from '../base/errors.ts';
import { silentLog } from '../base/log.ts';
import type { Client, ObjectKey } from '../client/client.ts';
import { NamedNodes, namedMax, refreshMs } from './named-nodes.ts';

/** A server with these nodes; `asked` are the names that it was asked for. */
function serving(nodes: Map<string, Node>) {
  const asked: string[] = [];
  const clock = new FakeClock();
  let changes = 0;
  const get = async (_kind: unknown, { name }: ObjectKey) => {
    asked.push(name);
    const node = nodes.get(name);
    if (!node) throw new StatusError('NotFound', `nodes "${name}" not found`);
    return node;
  };
  // Nothing else is asked of it.
  const client = { get } as unknown as Client;
  const named = new NamedNodes({ client, clock, log: silentLog, onChange: () => changes++ });
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  return { named, asked, clock, turn, changes: () => changes };
}

const node = (name: string, resourceVersion = '1'): Node => ({ metadata: { name, resourceVersion } });

test('nodes that are named are asked for once, and again after a while', async () => {
  const nodes = new Map([['a', node('a')]]);
  const { named, asked, clock, turn, changes } = serving(nodes);
  const names = new Set(['a', 'gone']);
  assert.deepEqual(named.of(names), []);
  await turn();
  assert.deepEqual(named.of(names), [node('a')]);
  assert.deepEqual([asked, changes()], [['a', 'gone'], 1]);
  nodes.set('a', node('a', '2'));
  await clock.advance(refreshMs);
  assert.equal(changes(), 2, 'it is time to ask again');
  named.of(names);
  await turn();
  assert.deepEqual(named.of(names), [node('a', '2')]);
  assert.deepEqual([asked.length, changes()], [4, 3]);
  await named.stop();
});

test('what is no longer named is forgotten, and nobody is asked for nothing', async () => {
  const { named, asked, turn } = serving(new Map([['a', node('a')]]));
  named.of(new Set(['a']));
  await turn();
  assert.deepEqual(named.of(new Set()), []);
  await turn();
  assert.deepEqual(asked, ['a']);
  await named.stop();
});

test('no more nodes are asked for than there is room for', async () => {
  const { named, asked, turn } = serving(new Map());
  const names = new Set(Array.from({ length: namedMax + 10 }, (_, index) => `node-${index}`));
  named.of(names);
  for (let turns = 0; asked.length < namedMax && turns < 1000; turns++) await turn();
  named.of(names);
  await turn();
  assert.equal(asked.length, namedMax);
  await named.stop();
});
