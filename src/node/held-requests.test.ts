import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Node } from '../api/kinds/node.ts';
import { silentLog } from '../base/log.ts';
import { until } from '../base/until.ts';
import type { Client } from '../client/client.ts';
import { heldAnnotation, parseHeld } from '../mesh/held-services.ts';
import { HeldRequests, repeatMs, servicesMax } from './held-requests.ts';
import type { ShimLink } from './shim-link.ts';

function setUp() {
  let nowMs = 1_000_000;
  let fails = false;
  const told: Map<string, string>[] = [];
  const patch = async (_kind: unknown, key: { name: string }, { body }: { body: unknown }) => {
    assert.equal(key.name, 'n1');
    if (fails) throw new Error('the link is cut');
    told.push(parseHeld((body as Node).metadata!.annotations![heldAnnotation]));
    return {};
  };
  const held = new HeldRequests({
    nodeName: 'n1',
    client: { patch } as unknown as Client,
    clock: { nowMs: () => nowMs, after: () => () => {} },
    log: silentLog,
    shim: { onConnected: () => {} } as unknown as ShimLink,
  });
  return {
    held,
    told,
    pass: (ms: number) => {
      nowMs += ms;
    },
    fail: (isDown: boolean) => {
      fails = isDown;
    },
  };
}

test('a Service that requests wait for is told at once, and again only after a while', async () => {
  const { held, told, pass } = setUp();
  held.held('default/web');
  held.held('default/web');
  await until('it is told', () => told.length === 1);
  pass(repeatMs);
  held.held('default/web');
  await until('it is told again', () => told.length === 2);
  const [first, second] = told.map((each) => each.get('default/web'));
  assert.notEqual(first, second, 'a later time says that they still wait');
});

test('a bounded number of Services is named, the latest', async () => {
  const { held, told } = setUp();
  for (let count = 0; count <= servicesMax; count++) held.held(`default/web-${count}`);
  await until('the last is told', () => told.at(-1)?.has(`default/web-${servicesMax}`));
  assert.equal(told.at(-1)!.size, servicesMax);
  assert.equal(told.at(-1)!.has('default/web-0'), false);
});

test('what was not told for want of a link is told by the next reminder', async () => {
  const { held, told, fail } = setUp();
  fail(true);
  held.held('default/web');
  await new Promise((resolve) => setImmediate(resolve));
  fail(false);
  held.held('default/web');
  await until('it is told', () => told.length === 1);
});
