import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Admitted, PriorityLevel, type Refusal } from './priority-level.ts';
import { dealHand, hashOf } from './shuffle-shard.ts';

const never = new AbortController().signal;
const limits = {
  nominalSeats: 4,
  lendableSeats: 0,
  borrowableSeats: 0,
  queuing: { queues: 64, handSize: 6, queueLengthLimit: 50 },
};

function levelOf(more: object = {}, spareSeats = () => 0) {
  let nowMs = 0;
  const level = new PriorityLevel({ ...limits, ...more }, { now: () => nowMs, spareSeats });
  return {
    level,
    pass(ms: number) {
      nowMs += ms;
    },
  };
}

/** Sends `count` requests of a flow; each notes its flow in `served` when it is let in. */
function flood(
  level: PriorityLevel,
  flow: string,
  count: number,
  served: { flow: string; seat: Admitted }[],
) {
  const refused: Refusal[] = [];
  const waits: Promise<void>[] = [];
  const note = (outcome: Admitted | Refusal) => {
    if (typeof outcome === 'string') refused.push(outcome);
    else served.push({ flow, seat: outcome });
  };
  for (let i = 0; i < count; i++) {
    const outcome = level.admit(flow, 1, never);
    if (outcome instanceof Promise) waits.push(outcome.then(note));
    else note(outcome);
  }
  return { refused, waits };
}

test('a flow with hundreds of requests does not keep one with few waiting', async () => {
  const { level, pass } = levelOf();
  const served: { flow: string; seat: Admitted }[] = [];
  const noisy = flood(level, 'noisy', 280, served);
  const quiet = flood(level, 'quiet', 10, served);
  assert.equal(served.length, 4);
  assert.equal(level.waitingCount, 286);
  let quietServed = 0;
  let rounds = 0;
  for (; quietServed < 10; rounds++) {
    pass(5);
    served.shift()!.seat.release();
    await new Promise((resolve) => setImmediate(resolve));
    quietServed += served.at(-1)!.flow === 'quiet' ? 1 : 0;
  }
  // The noisy flow was dealt six queues: a fair share for the quiet one is a seventh of what is served.
  assert.ok(rounds <= 80, `ten requests of the quiet flow took ${rounds} turns`);
  while (served.length > 0) {
    pass(5);
    served.shift()!.seat.release();
    await new Promise((resolve) => setImmediate(resolve));
  }
  await Promise.all([...noisy.waits, ...quiet.waits]);
  assert.equal(level.seatsInUse, 0);
  assert.deepEqual([...noisy.refused, ...quiet.refused], []);
});

test('a flow whose queues are full is refused, another one is not', () => {
  const { level } = levelOf();
  const served: { flow: string; seat: Admitted }[] = [];
  const { refused } = flood(level, 'noisy', 1000, served);
  const { refused: others } = flood(level, 'quiet', 5, served);
  return new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
    assert.equal(refused.length, 1000 - 4 - 6 * 50);
    assert.ok(refused.every((why) => why === 'queue-full'));
    assert.deepEqual(others, []);
  });
});

test('a level without queues refuses what it has no seat for', () => {
  const { level } = levelOf({ queuing: undefined });
  const outcomes = Array.from({ length: 5 }, () => level.admit('a', 1, never));
  assert.equal(outcomes.filter((each) => each === 'concurrency-limit').length, 1);
  (outcomes[0] as Admitted).release();
  assert.equal(typeof level.admit('a', 1, never), 'object');
});

test('a request that is wider than its level waits until it is alone', async () => {
  const { level } = levelOf();
  const first = level.admit('a', 1, never) as Admitted;
  const wide = level.admit('a', 10, never);
  assert.ok(wide instanceof Promise);
  first.release();
  const seat = (await wide) as Admitted;
  assert.equal(level.seatsInUse, 10);
  seat.release();
  assert.equal(level.seatsInUse, 0);
});

test('a level borrows what others lend, and no more than it may', () => {
  let spare = 2;
  const { level } = levelOf({ borrowableSeats: 3, queuing: undefined }, () => spare);
  const admit = () => typeof level.admit('a', 1, never) === 'object';
  assert.deepEqual([1, 2, 3, 4].map(admit), [true, true, true, true]);
  assert.equal(admit(), true);
  assert.equal(level.seatsBorrowed, 1);
  spare = 0;
  assert.equal(admit(), false);
  spare = 10;
  assert.deepEqual([admit(), admit(), admit()], [true, true, false]);
});

test('who goes while waiting is forgotten', async () => {
  const { level } = levelOf({ nominalSeats: 1 });
  const seat = level.admit('a', 1, never) as Admitted;
  const gone = new AbortController();
  const waiting = level.admit('a', 1, gone.signal);
  gone.abort();
  assert.equal(await waiting, 'cancelled');
  assert.equal(level.waitingCount, 0);
  seat.release();
  assert.equal(level.seatsInUse, 0);
});

test('who finds no seat for a quarter of a minute is refused', async (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] });
  const { level } = levelOf({ nominalSeats: 1 });
  level.admit('a', 1, never);
  const waiting = level.admit('a', 1, never);
  context.mock.timers.tick(15_000);
  assert.equal(await waiting, 'time-out');
  assert.equal(level.waitingCount, 0);
});

test('a hand has distinct cards of the deck, the same for the same flow', () => {
  for (let i = 0; i < 500; i++) {
    const hand = dealHand(hashOf(`flow ${i}`), 128, 6);
    assert.equal(new Set(hand).size, 6);
    assert.ok(hand.every((card) => card >= 0 && card < 128));
    assert.deepEqual(hand, dealHand(hashOf(`flow ${i}`), 128, 6));
  }
});
