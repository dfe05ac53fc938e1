import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Event, event as eventKind } from '../api/kinds/event.ts';
import type { KubeObject } from '../api/object.ts';
import { FakeClock, toTime } from '../base/clock.ts';
import { StatusError } from '../base/errors.ts';
import { silentLog } from '../base/log.ts';
import type { Client } from '../client/client.ts';
import { isExpired, run } from './event-expiry.ts';

test('an event expires an hour after it last happened', () => {
  const clock = new FakeClock();
  const at = (minutesAgo: number) => toTime(clock.nowMs() - minutesAgo * 60_000);
  const cases: [object, boolean][] = [
    [{ lastTimestamp: at(59) }, false],
    [{ lastTimestamp: at(61) }, true],
    [{ lastTimestamp: at(61), eventTime: at(5) }, false],
    [{ metadata: { creationTimestamp: at(61) } }, true],
  ];
  for (const [event, expected] of cases)
    assert.equal(isExpired(event as Event, clock.nowMs()), expected, JSON.stringify(event));
});

test('expired events are deleted page by page, and one that happened again meanwhile stays', async () => {
  const clock = new FakeClock();
  const created = toTime(clock.nowMs());
  const names = ['old-1', 'again', 'old-2'];
  const events = names.map((name) => ({
    metadata: { name, namespace: 'default', resourceVersion: '1', creationTimestamp: created },
  }));
  const deleted: string[] = [];
  const client = {
    list: async (kind: unknown, options: { continue?: string }) => {
      assert.equal(kind, eventKind);
      return options.continue
        ? { metadata: {}, items: events.slice(2) }
        : { metadata: { continue: 'x' }, items: events.slice(0, 2) };
    },
    delete: async (_: unknown, { name }: { name: string }) => {
      if (name === 'again') throw new StatusError('Conflict', 'changed');
      deleted.push(name);
    },
  } as unknown as Client & KubeObject;
  const running = run({ client, clock, log: silentLog });
  await clock.advance(50 * 60_000);
  assert.deepEqual(deleted, []);
  await clock.advance(25 * 60_000);
  assert.deepEqual(deleted, ['old-1', 'old-2']);
  await running.stop();
});
