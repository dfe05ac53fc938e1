import assert from 'node:assert/strict';
import { test } from 'node:test';
import { epsilonOf, renyiDivergence } from './privacy.ts';

const near = (found: number, expected: number, tolerance: number) =>
  assert.ok(Math.abs(found - expected) <= tolerance, `${found}, expected ${expected}`);

test('the divergence of the sampled Gaussian is the one that TensorFlow Privacy publishes', () => {
  // tensorflow_privacy/privacy/analysis/rdp_accountant_test.py
  near(10 * renyiDivergence(0.1, 2, 5), 0.07737, 1e-5);
  near(50 * renyiDivergence(0.01, 2.5, 5), 0.00218075, 1e-5);
  near(50 * renyiDivergence(0.01, 2.5, 50), 0.023846, 1e-5);
  near(50 * renyiDivergence(0.01, 2.5, 100), 167.416307, 1e-5);
});

test("without sampling it is the Gaussian mechanism's own", () => {
  assert.equal(renyiDivergence(1, 10, 20), 0.1);
  near(renyiDivergence(1 - 1e-12, 3, 8), renyiDivergence(1, 3, 8), 1e-9);
});

test('epsilon is what dp-accounting finds, and below the 1.26 of the moments accountant', () => {
  const epsilon = (samplingRate: number, noiseMultiplier: number, rounds: number) =>
    epsilonOf({ samplingRate, noiseMultiplier, rounds, delta: 1e-5 });
  // Google's dp-accounting 0.6, RdpAccountant with the same orders.
  near(epsilon(0.01, 4, 10_000), 1.0354900660362436, 1e-9);
  near(epsilon(1, 1, 1), 4.752728336819822, 1e-9);
  near(epsilon(250 / 60_000, 1.1, 14_400), 2.5629596989377124, 1e-9);
  // Abadi et al., 2016, section 5.1, the first of these cases; they turn moments into epsilon as proposition 3 of
  // Mironov, 2017, does.
  const orders = Array.from({ length: 126 }, (_, index) => index + 2);
  const found = orders.map((order) => 10_000 * renyiDivergence(0.01, 4, order) + Math.log(1e5) / (order - 1));
  near(Math.min(...found), 1.26, 0.005);
});

test('epsilon grows with the rounds, and falls with the noise and with fewer clients a round', () => {
  const cost = { samplingRate: 0.3, noiseMultiplier: 1.5, rounds: 20, delta: 1e-5 };
  const epsilon = epsilonOf(cost);
  assert.ok(epsilonOf({ ...cost, rounds: 21 }) > epsilon);
  assert.ok(epsilonOf({ ...cost, noiseMultiplier: 1.6 }) < epsilon);
  assert.ok(epsilonOf({ ...cost, samplingRate: 0.2 }) < epsilon);
});

test('no round costs nothing, and a round without noise everything', () => {
  const cost = { samplingRate: 1, noiseMultiplier: 1, rounds: 0, delta: 1e-5 };
  assert.equal(epsilonOf(cost), 0);
  assert.equal(epsilonOf({ ...cost, rounds: 1, noiseMultiplier: 0 }), Number.POSITIVE_INFINITY);
  assert.throws(() => epsilonOf({ ...cost, delta: 0 }), /delta must be between 0 and 1, got 0/);
});
