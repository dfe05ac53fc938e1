import assert from 'node:assert/strict';
import { test } from 'node:test';
import { randomGenerator } from '../../ml/random.ts';
import { dirichlet, partitionByDirichlet, partitionEvenly } from './partition.ts';

const labels = Uint8Array.from({ length: 1000 }, (_, index) => index % 10);
const everyIndex = [...labels.keys()];
const sorted = (parts: Uint32Array[]) => parts.flatMap((part) => [...part]).sort((a, b) => a - b);

/** The mean over clients of the share that a client's most frequent class has of its examples. */
function skew(parts: Uint32Array[]): number {
  const shares = parts.map((part) => {
    const counts = [...Map.groupBy(part, (index) => labels[index]!).values()].map(({ length }) => length);
    return Math.max(...counts) / part.length;
  });
  return shares.reduce((sum, share) => sum + share, 0) / shares.length;
}

test('every example goes to exactly one client', () => {
  assert.deepEqual(sorted(partitionEvenly(1000, 7, randomGenerator(1))), everyIndex);
  for (const concentration of [0.01, 0.5, 100]) {
    const options = { clients: 7, concentration, random: randomGenerator(1) };
    assert.deepEqual(sorted(partitionByDirichlet(labels, options)), everyIndex);
  }
});

test('the lower the concentration, the fewer classes a client has', () => {
  const skewAt = (concentration: number) =>
    skew(partitionByDirichlet(labels, { clients: 10, concentration, random: randomGenerator(2) }));
  const [low, half, high] = [skewAt(0.05), skewAt(0.5), skewAt(1000)];
  assert.ok(low > half && half > high, `${low} ${half} ${high}`);
  assert.ok(high < 0.15, `almost even: ${high}`);
});

test('one seed gives one partition, and nobody is left without an example', () => {
  const deal = (seed: number) =>
    partitionByDirichlet(labels, { clients: 40, concentration: 0.01, random: randomGenerator(seed) });
  assert.deepEqual(deal(3), deal(3));
  assert.ok(deal(3).every((part) => part.length > 0));
});

test("shares have the Dirichlet distribution's mean and variance", () => {
  const random = randomGenerator(4);
  const [clients, concentration, draws] = [5, 0.5, 4000];
  const first = Array.from({ length: draws }, () => dirichlet(clients, concentration, random)[0]!);
  const mean = first.reduce((sum, share) => sum + share, 0) / draws;
  const variance = first.reduce((sum, share) => sum + (share - mean) ** 2, 0) / draws;
  const total = clients * concentration;
  const expected = ((1 / clients) * (1 - 1 / clients)) / (total + 1);
  assert.ok(Math.abs(mean - 1 / clients) < 0.02, `mean ${mean}`);
  assert.ok(Math.abs(variance / expected - 1) < 0.1, `variance ${variance}, expected ${expected}`);
});
