import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CpuWindow, staleMs } from './cpu-rates.ts';

const sample = (seconds: number, ...cores: [string, number][]) => ({
  atMs: seconds * 1000,
  nanos: new Map(cores.map(([key, cpuSeconds]) => [key, cpuSeconds * 1e9])),
});

test('a rate is the processor time used between two samples', () => {
  const window = new CpuWindow();
  assert.equal(window.add(sample(100, ['a', 5], ['b', 1])), undefined);
  const rates = window.add(sample(102, ['a', 6], ['b', 1], ['new', 9]))!;
  assert.equal(rates.windowMs, 2000);
  assert.deepEqual(Object.fromEntries(rates.nanocores), { a: 500_000_000, b: 0 });
});

test('what was started again has no rate until the window knows it', () => {
  const window = new CpuWindow();
  window.add(sample(0, ['a', 50]));
  assert.equal(window.add(sample(10, ['a', 1]))!.nanocores.get('a'), undefined);
});

test('however often it is asked, the window is 15 to 30 seconds long', () => {
  const window = new CpuWindow();
  window.add(sample(0, ['a', 0]));
  for (let second = 1; second <= 200; second++) {
    const rates = window.add(sample(second, ['a', second / 4]))!;
    assert.ok(rates.windowMs <= 30_000, `${second}: ${rates.windowMs}`);
    if (second >= 15) assert.ok(rates.windowMs >= 15_000, `${second}: ${rates.windowMs}`);
    assert.equal(rates.nanocores.get('a'), 250_000_000);
  }
});

test('after a long silence it begins anew', () => {
  const window = new CpuWindow();
  window.add(sample(0, ['a', 0]));
  window.add(sample(1, ['a', 1]));
  assert.equal(window.isStale(staleMs), false);
  assert.equal(window.isStale(staleMs + 1), true);
  assert.equal(window.add(sample(staleMs / 1000 + 1, ['a', 2])), undefined);
});
