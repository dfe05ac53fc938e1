import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { connect } from 'node:net';
import { test } from 'node:test';
import { FakeClock } from '../../base/clock.ts';
import { until } from '../../base/until.ts';
import { Prober, type ProberOptions } from './prober.ts';
import { beginProbe, hasFailed, nextProbeMs, takeResult, timingOf } from './probes.ts';

const timing = timingOf({
  initialDelaySeconds: 5,
  periodSeconds: 10,
  failureThreshold: 2,
  successThreshold: 2,
});

test('probes default to Kubernetes figures', () => {
  assert.deepEqual(timingOf({}), {
    initialDelayMs: 0,
    periodMs: 10_000,
    timeoutMs: 1_000,
    successThreshold: 1,
    failureThreshold: 3,
  });
});

test('a verdict changes only after as many equal results as the threshold', () => {
  let state = beginProbe(timing, 0, false);
  state = takeResult(state, true);
  assert.equal(state.isHealthy, false);
  state = takeResult(state, true);
  assert.equal(state.isHealthy, true);
  state = takeResult(takeResult(takeResult(state, false), true), false);
  assert.equal(state.isHealthy, true, 'a success in between begins the count anew');
  assert.equal(hasFailed(state), false);
  state = takeResult(state, false);
  assert.equal(state.isHealthy, false);
  assert.equal(hasFailed(state), true);
});

test('the first probe waits for the initial delay, later ones for the period', () => {
  const state = beginProbe(timing, 1000, true);
  assert.equal(nextProbeMs(state, { eager: false }), 6000);
  assert.equal(nextProbeMs({ ...state, lastAtMs: 6000 }, { eager: false }), 16_000);
});

test('a program that is not ready yet is asked again sooner, at most its period later', () => {
  const state = { ...beginProbe({ ...timing, initialDelayMs: 0 }, 0, false), lastAtMs: 0 };
  assert.equal(nextProbeMs(state, { eager: true }), 50);
  assert.equal(nextProbeMs({ ...state, lastAtMs: 400 }, { eager: true }), 800);
  assert.equal(nextProbeMs({ ...state, lastAtMs: 60_000 }, { eager: true }), 70_000);
});

function begin(container: object, overrides: Partial<ProberOptions> = {}) {
  const seen = { isStarted: false, isReady: false, failures: [] as string[], fatal: [] as string[] };
  const clock = new FakeClock();
  const prober = new Prober({
    container: { name: 'web', ...container } as never,
    podIP: '10.42.0.2',
    startedAtMs: clock.nowMs(),
    before: { isStarted: false, isReady: false },
    clock,
    dial: async () => {
      throw new Error('connection refused');
    },
    run: async () => ({ exitCode: 0, output: '', isLate: false }),
    onVerdict: (verdict) => Object.assign(seen, verdict),
    onFailure: (kind, message, isFatal) => {
      (isFatal ? seen.fatal : seen.failures).push(`${kind}: ${message}`);
    },
    ...overrides,
  });
  return { prober, seen, clock };
}

test('an isolate without probes is ready when its program listens', () => {
  const { prober, seen } = begin({});
  assert.deepEqual([seen.isStarted, seen.isReady], [true, false]);
  prober.setListening(true);
  assert.equal(seen.isReady, true);
});

test('a liveness probe that fails as often as its threshold says is fatal, once', async () => {
  const { prober, seen, clock } = begin({
    livenessProbe: { tcpSocket: { port: 80 }, periodSeconds: 10, failureThreshold: 3 },
  });
  prober.setListening(true);
  for (let at = 0; at < 100; at++) await clock.advance(1000);
  assert.deepEqual(seen.fatal, ['Liveness: connection refused']);
  assert.equal(seen.failures.length, 1, 'the first moment is no news');
  prober.stop();
});

test('readiness follows the answers of the program', async (t) => {
  let code = 503;
  const server = createServer((_, response) => response.writeHead(code).end());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const readinessProbe = { httpGet: { path: '/ready', port: 'http' }, periodSeconds: 1, failureThreshold: 1 };
  const { prober, seen, clock } = begin(
    { readinessProbe, ports: [{ name: 'http', containerPort: 8080 }] },
    { dial: async () => connect(port, '127.0.0.1') },
  );
  t.after(() => prober.stop());
  prober.setListening(true);
  const advanceUntil = (what: string, isSo: () => boolean) =>
    until(what, async () => {
      await clock.advance(500);
      return isSo();
    });
  await advanceUntil('a failure is told', () => seen.failures.length > 0);
  assert.equal(seen.failures[0], 'Readiness: HTTP probe failed with statuscode: 503');
  assert.equal(seen.isReady, false);
  code = 200;
  await advanceUntil('it is ready', () => seen.isReady);
  code = 500;
  await advanceUntil('it is unready again', () => !seen.isReady);
});

test('liveness and readiness wait for the startup probe', async () => {
  let dials = 0;
  const startupProbe = { tcpSocket: { port: 80 }, periodSeconds: 1, failureThreshold: 30 };
  const { prober, seen, clock } = begin(
    { startupProbe, livenessProbe: { tcpSocket: { port: 81 }, periodSeconds: 1, failureThreshold: 1 } },
    {
      dial: async ({ port }) => {
        dials++;
        assert.equal(port, 80);
        throw new Error('not yet');
      },
    },
  );
  for (let at = 0; at < 10; at++) await clock.advance(1000);
  assert.ok(dials >= 10);
  assert.deepEqual([seen.isStarted, seen.fatal], [false, []]);
  prober.stop();
});

test('a new agent does not make a ready container unready', () => {
  const container = { readinessProbe: { httpGet: { port: 80 } } };
  const { prober, seen } = begin(container, { before: { isStarted: true, isReady: true } });
  prober.setListening(true);
  assert.deepEqual([seen.isStarted, seen.isReady], [true, true]);
  prober.stop();
});
