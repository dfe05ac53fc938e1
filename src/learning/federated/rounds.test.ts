import assert from 'node:assert/strict';
import { test } from 'node:test';
import { closeEvaluation, closeRound } from './close-round.ts';
import { chooseCohort, samplePoisson } from './cohort.ts';
import { firstRound, openRound, type Received, type RoundsState, standing } from './rounds.ts';
import type { FederatedSettings } from './settings.ts';
import { takeUpdate } from './take-update.ts';

const plain: FederatedSettings = {
  rounds: 3,
  clientsExpected: 4,
  clientsPerRound: undefined,
  quorum: 2,
  deadlineMs: 1000,
  staleness: 1,
  clipNorm: undefined,
  noiseMultiplier: 0,
  delta: 1e-5,
  seed: 7,
};
const present = ['a', 'b', 'c', 'd'];
const random = () => 0.4;
const open = (state: RoundsState, changes = {}, nowMs = 0) =>
  openRound(state, { settings: { ...plain, ...changes }, present, nowMs, random });
const update = (client: string, changes: Partial<Received> = {}): Received => ({
  client,
  round: 1,
  samples: 10,
  norm: 1,
  ...changes,
});
function taken(state: RoundsState, received: Received, settings = plain): RoundsState {
  const verdict = takeUpdate(state, received, settings);
  assert.equal(verdict.kind, 'taken');
  return verdict.kind === 'taken' ? verdict.state : state;
}

test('a round asks as many as it should, the same ones for the same seed, others in another round', () => {
  const many = Array.from({ length: 50 }, (_, index) => `node-${index}`);
  const ask = (seed: number, round: number) =>
    chooseCohort({ present: many, size: 10, seed, round, attempt: 1 });
  assert.equal(new Set(ask(1, 1)).size, 10);
  assert.deepEqual(ask(1, 1), ask(1, 1));
  assert.notDeepEqual(ask(1, 1), ask(1, 2));
  assert.notDeepEqual(ask(1, 1), ask(2, 1));
  const counts = new Map<string, number>();
  for (let round = 1; round <= 500; round += 1)
    for (const name of ask(1, round)) counts.set(name, (counts.get(name) ?? 0) + 1);
  // 100 are expected of each, with a deviation of 9.
  for (const name of many) assert.ok(counts.get(name)! > 50 && counts.get(name)! < 150, name);
});

test('a private round draws every client on its own', () => {
  const draws = [0.1, 0.9, 0.2, 0.8];
  assert.deepEqual(
    samplePoisson(present, 0.5, () => draws.shift()!),
    ['a', 'c'],
  );
});

test('a round ends once all that were asked have answered', () => {
  let state = open(firstRound);
  assert.deepEqual(state.cohort, present);
  for (const client of present) {
    assert.equal(standing(state, { settings: plain, nowMs: 1 }), 'goes on');
    state = taken(state, update(client));
  }
  assert.equal(standing(state, { settings: plain, nowMs: 1 }), 'ends');
});

test('at the deadline a quorum is enough', () => {
  let state = taken(open(firstRound), update('a'));
  assert.equal(standing(state, { settings: plain, nowMs: 1000 }), 'is short');
  state = taken(state, update('b'));
  assert.equal(standing(state, { settings: plain, nowMs: 999 }), 'goes on');
  assert.equal(standing(state, { settings: plain, nowMs: 1000 }), 'ends');
  const { summary, used } = closeRound(state, plain);
  assert.deepEqual([summary.participants, summary.dropped, used.length], [2, 2, 2]);
});

test('a round that is short is tried again: what came counts, others are asked instead', () => {
  const settings = { ...plain, clientsPerRound: 2 };
  const first = open(firstRound, settings);
  const [arrived, silent] = first.cohort as [string, string];
  const state = taken(first, update(arrived), settings);
  const others = present.filter((client) => client !== silent);
  const again = openRound(state, { settings, present: others, nowMs: 2000, random });
  assert.equal(again.attempt, 2);
  assert.equal(again.cohort.length, 2);
  assert.ok(again.cohort.includes(arrived) && !again.cohort.includes(silent));
  assert.equal(standing(again, { settings, nowMs: 2001 }), 'goes on');
});

test('without a quorum a client that died does not hold a round up for ever', () => {
  const settings = { ...plain, quorum: undefined };
  let state = open(firstRound, settings);
  for (const client of ['a', 'b', 'c']) state = taken(state, update(client), settings);
  assert.equal(standing(state, { settings, nowMs: 1000 }), 'is short');
  state = openRound(state, { settings, present: ['a', 'b', 'c'], nowMs: 1000, random });
  assert.equal(standing(state, { settings, nowMs: 1001 }), 'ends');
});

test('a late update counts within the bound, once, and of those that were asked', () => {
  let state = open(firstRound);
  for (const client of ['a', 'b']) state = taken(state, update(client));
  state = open(closeRound(state, plain).next);
  assert.equal(state.round, 2);
  assert.equal(takeUpdate(state, update('a'), plain).kind, 'unwanted');
  state = taken(state, update('c'));
  assert.equal(takeUpdate(state, update('c'), plain).kind, 'known');
  for (const client of ['a', 'b']) state = taken(state, update(client, { round: 2 }));
  const closed = closeRound(state, plain);
  assert.deepEqual([closed.summary.participants, closed.summary.late, closed.summary.dropped], [2, 1, 2]);
  // "d" sent neither: its first is too late by now, its second is not.
  const third = open(closed.next);
  const tooLate = takeUpdate(third, update('d'), plain);
  assert.equal(tooLate.kind === 'unwanted' && tooLate.reason.includes('over by 2'), true);
  assert.equal(takeUpdate(third, update('d', { round: 2 }), plain).kind, 'taken');
});

test('of a client that sends a late and a fresh update the fresh one counts', () => {
  let state = open(firstRound);
  for (const client of ['a', 'b']) state = taken(state, update(client));
  state = open(closeRound(state, plain).next);
  state = taken(state, update('c'));
  for (const client of ['a', 'c']) state = taken(state, update(client, { round: 2 }));
  const { used } = closeRound(state, plain);
  assert.deepEqual(
    used.map(({ client, round }) => [client, round]),
    [
      ['a', 2],
      ['c', 2],
    ],
  );
});

test('an update that was not asked for, or of a round to come, is not wanted', () => {
  const state = open(firstRound, { clientsPerRound: 1 });
  const stranger = present.find((client) => !state.cohort.includes(client))!;
  assert.equal(takeUpdate(state, update(stranger), plain).kind, 'unwanted');
  assert.equal(takeUpdate(state, update(state.cohort[0]!, { round: 2 }), plain).kind, 'unwanted');
});

test('an update above the norm, of no finite size, or of impossible examples is refused and counted', () => {
  const settings = { ...plain, clipNorm: 2 };
  const state = open(firstRound, settings);
  const wrong = [
    { norm: 2.1 },
    { norm: Number.POSITIVE_INFINITY },
    { samples: 0 },
    { samples: 1e12 },
    { samples: Number.NaN },
  ];
  for (const changes of wrong) {
    const verdict = takeUpdate(state, update('a', changes), settings);
    assert.equal(verdict.kind === 'refused' && verdict.state.refused, 1, JSON.stringify(changes));
  }
  assert.equal(takeUpdate(state, update('a', { norm: 2.01 }), settings).kind, 'taken');
});

test('without a norm, one update far larger than the others is left out', () => {
  let state = open(firstRound);
  for (const client of ['a', 'b', 'c']) state = taken(state, update(client));
  state = taken(state, update('d', { norm: 1e6 }));
  const { used, next } = closeRound(state, plain);
  assert.deepEqual(
    used.map(({ client }) => client),
    ['a', 'b', 'c'],
  );
  assert.equal(next.refused, 1);
});

test('no client counts for more than ten of the usual', () => {
  let state = open(firstRound);
  for (const client of ['a', 'b', 'c']) state = taken(state, update(client));
  state = taken(state, update('d', { samples: 2 ** 31 }));
  assert.equal(closeRound(state, plain).used.find(({ client }) => client === 'd')?.samples, 100);
});

test('a private round ends as it was drawn, takes no late updates, and is counted', () => {
  const settings = { ...plain, noiseMultiplier: 1, clipNorm: 1, clientsPerRound: 2 };
  const state = taken(open(firstRound, settings), update('a'), settings);
  assert.equal(standing(state, { settings, nowMs: 1000 }), 'ends');
  const { next } = closeRound(state, settings);
  assert.equal(next.privateRounds, 1);
  assert.equal(takeUpdate(open(next, settings), update('b'), settings).kind, 'unwanted');
});

test('after the last round all clients that are there measure the final weights', () => {
  let state = open({ ...firstRound, round: 4 });
  assert.equal(state.phase, 'evaluating');
  assert.equal(standing(state, { settings: plain, nowMs: 1000 }), 'is short');
  const figures = (examples: number, accuracy: number) => ({ examples, metrics: { accuracy } });
  state = {
    ...state,
    evaluations: [
      { client: 'a', figures: figures(30, 0.5) },
      { client: 'b', figures: figures(10, 0.9) },
    ],
  };
  assert.equal(standing(state, { settings: plain, nowMs: 999 }), 'goes on');
  assert.equal(standing(state, { settings: plain, nowMs: 1000 }), 'ends');
  const done = closeEvaluation(state);
  assert.equal(done.phase, 'done');
  assert.equal(done.final?.examples, 40);
  assert.ok(Math.abs(done.final!.metrics.accuracy! - 0.6) < 1e-12);
});
