import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addSample, newHistory, podsNeeded, type ScaleSettings } from './scale.ts';

const settings: ScaleSettings = {
  min: 0,
  max: 10,
  metric: 'concurrency',
  target: 2,
  stableWindowMs: 60_000,
  retentionMs: 0,
};

/** A predictor whose pods are there as soon as they are wanted, looked at every two seconds. */
function run(own: Partial<ScaleSettings> = {}, begin = 1) {
  const all = { ...settings, ...own };
  const history = newHistory(0);
  let [nowMs, pods] = [0, begin];
  return {
    get pods() {
      return pods;
    },
    /** `load` for so many seconds; gives the pods at each look. */
    for(seconds: number, load: number): number[] {
      const seen: number[] = [];
      for (let at = 0; at < seconds; at += 2) {
        nowMs += 2_000;
        const sample = { atMs: nowMs, concurrency: load, rps: load * 10, isActive: load > 0 };
        addSample(history, sample, all);
        pods = podsNeeded(all, history, { ready: pods, current: pods, nowMs });
        seen.push(pods);
      }
      return seen;
    },
  };
}

test('pods come by the average of the stable window, and go by it', () => {
  const predictor = run();
  predictor.for(60, 2);
  assert.equal(predictor.pods, 1);
  predictor.for(60, 3);
  assert.equal(predictor.pods, 2);
  predictor.for(60, 7);
  assert.equal(predictor.pods, 4);
  const falling = predictor.for(180, 2);
  assert.equal(falling.at(0), 4, 'not at once');
  assert.equal(falling.at(-1), 1);
});

test('twice the pods that there are, in six seconds, is a panic: they come at once and none goes for a minute', () => {
  const predictor = run();
  predictor.for(60, 1);
  const rising = predictor.for(8, 16);
  assert.ok(rising.at(-1)! >= 6, `${rising}`);
  const after = predictor.for(50, 1);
  assert.ok(
    after.every((pods, at) => pods >= (after[at - 1] ?? rising.at(-1)!)),
    `${after}`,
  );
  assert.equal(predictor.for(240, 1).at(-1), 1);
});

test('there are never more than the maximum, nor fewer than the minimum', () => {
  assert.equal(run({ max: 3 }).for(120, 100).at(-1), 3);
  assert.equal(run({ min: 2 }).for(300, 0).at(-1), 2);
  assert.equal(run({ max: 0 }).for(120, 100).at(-1), 50, 'no maximum is none');
});

test('at most half of the pods go at a time', () => {
  const predictor = run({ stableWindowMs: 6_000 });
  predictor.for(60, 20);
  const falling = [predictor.pods, ...predictor.for(60, 0.1)];
  assert.deepEqual(
    falling.filter((pods, at) => pods !== falling[at - 1]),
    [10, 7, 4, 2, 1],
  );
});

test('by requests a second', () => {
  assert.equal(run({ metric: 'rps', target: 20 }).for(120, 7).at(-1), 4);
});

test('without requests for the window and the retention the last pod goes, and not while one is under way', () => {
  const predictor = run({ retentionMs: 30_000 });
  predictor.for(60, 1);
  const idle = predictor.for(120, 0);
  assert.equal(idle.indexOf(0), 44, '90 seconds after the last');
  const slow = run();
  const history = newHistory(0);
  for (let atMs = 2_000; atMs < 400_000; atMs += 2_000) {
    addSample(history, { atMs, concurrency: 0.001, rps: 0, isActive: true }, settings);
    assert.equal(podsNeeded(settings, history, { ready: 1, current: 1, nowMs: atMs }), 1);
  }
  assert.equal(slow.for(60, 0).at(-1), 0);
});

test('without samples it stays as it is', () => {
  assert.equal(podsNeeded(settings, newHistory(0), { ready: 3, current: 3, nowMs: 1_000 }), 3);
  assert.equal(podsNeeded(settings, newHistory(0), { ready: 0, current: 0, nowMs: 1_000 }), 1);
});
