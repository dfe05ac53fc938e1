import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Metrics } from './metrics.ts';

test('a histogram takes in what another process observed as if it had observed it itself', () => {
  const [own, merged] = [new Metrics(), new Metrics()];
  const observing = own.histogram('seconds', 'Time.', [1, 2]);
  for (const value of [0.5, 1.5, 1.75, 9]) observing.observe(value, { to: 'web' });
  merged.histogram('seconds', 'Time.', [1, 2]).merge([1, 2, 1], 12.75, { to: 'web' });
  assert.equal(merged.expose(), own.expose());
});
