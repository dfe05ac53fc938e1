import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '../base/clock.ts';
import { StatusError } from '../base/errors.ts';
import { silentLog } from '../base/log.ts';
import { createClient } from './create-client.ts';
import { burstMax, createEventRecorder, pendingMax, similarMax } from './events.ts';
import type { ApiRequest, ApiResponse } from './transport.ts';

const web = { apiVersion: 'v1', kind: 'Pod', namespace: 'default', name: 'web-1', uid: 'u1' };

function setUp() {
  const clock = new FakeClock();
  const requests: ApiRequest[] = [];
  const server = { isDown: false, isForgetful: false };
  const transport = async (request: ApiRequest): Promise<ApiResponse> => {
    if (server.isDown) throw new StatusError('ServiceUnavailable', 'down');
    requests.push(request);
    if (server.isForgetful && request.method === 'PATCH') {
      const status = new StatusError('NotFound', 'no such event').toStatus();
      return { code: 404, headers: {}, kind: 'object', object: status };
    }
    return { code: 200, headers: {}, kind: 'object', object: request.body };
  };
  const recorder = createEventRecorder({
    client: createClient(transport),
    clock,
    log: silentLog,
    component: 'test',
  });
  return { clock, requests, server, recorder };
}

test('a repeated event becomes a count', async () => {
  const { clock, requests, recorder } = setUp();
  for (let i = 0; i < 5; i++) recorder.record(web, 'Warning', 'BackOff', 'restarting');
  await clock.advance(0);
  assert.equal(requests.length, 1);
  recorder.record(web, 'Warning', 'BackOff', 'restarting');
  await clock.advance(0);
  assert.deepEqual(
    requests.map((request) => request.method),
    ['POST', 'PATCH'],
  );
  assert.equal((requests[1]!.body as { count: number }).count, 6);
});

test('an event has the fields that kubectl shows', async () => {
  const { clock, requests, recorder } = setUp();
  recorder.record(web, 'Normal', 'Scheduled', 'Successfully assigned default/web-1 to edge-a');
  await clock.advance(0);
  const { metadata, ...event } = requests[0]!.body as Record<string, unknown>;
  assert.equal(requests[0]?.path, '/api/v1/namespaces/default/events');
  assert.match((metadata as { name: string }).name, /^web-1\.[0-9a-f]{16}$/);
  assert.deepEqual(event, {
    apiVersion: 'v1',
    kind: 'Event',
    involvedObject: web,
    type: 'Normal',
    reason: 'Scheduled',
    message: 'Successfully assigned default/web-1 to edge-a',
    count: 1,
    firstTimestamp: '2026-01-01T00:00:00Z',
    lastTimestamp: '2026-01-01T00:00:00Z',
    source: { component: 'test' },
    reportingComponent: 'test',
    reportingInstance: '',
  });
});

test('an event is written in whatever moment it is recorded', async () => {
  for (let moments = 0; moments < 40; moments++) {
    const { requests, recorder } = setUp();
    recorder.record(web, 'Normal', 'Pulled', 'the first');
    for (let i = 0; i < moments; i++) await Promise.resolve();
    recorder.record(web, 'Normal', 'Pulled', 'the second');
    for (let i = 0; i < 200; i++) await Promise.resolve();
    assert.equal(requests.length, 2, `after ${moments} moments`);
  }
});

test('an event that the server forgot is made anew', async () => {
  const { clock, requests, server, recorder } = setUp();
  recorder.record(web, 'Normal', 'Pulled', 'image pulled');
  await clock.advance(0);
  server.isForgetful = true;
  recorder.record(web, 'Normal', 'Pulled', 'image pulled');
  await clock.advance(0);
  assert.deepEqual(
    requests.map((request) => request.method),
    ['POST', 'PATCH', 'POST'],
  );
});

test('one object cannot flood the server with events', async () => {
  const { clock, requests, recorder } = setUp();
  for (let i = 0; i < 500; i++) recorder.record(web, 'Normal', `Noise${i}`, 'a message');
  for (let i = 0; i < 100; i++) await clock.advance(0);
  assert.equal(requests.length, burstMax);
});

test('many messages with one reason share an event that shows the newest', async () => {
  const { clock, requests, recorder } = setUp();
  for (let i = 1; i <= similarMax + 2; i++) {
    recorder.record(web, 'Normal', 'SuccessfulCreate', `Created pod: web-${i}`);
    await clock.advance(0);
  }
  const written = requests.map(({ method, body }) => [method, (body as { message: string }).message]);
  const single = Array.from({ length: similarMax - 1 }, (_, i) => ['POST', `Created pod: web-${i + 1}`]);
  const combined = '(combined from similar events): Created pod: web-';
  const further = ['POST', 'PATCH', 'PATCH'].map((method, i) => [method, `${combined}${similarMax + i}`]);
  assert.deepEqual(written, [...single, ...further]);
  assert.equal((requests.at(-1)!.body as { count: number }).count, 3);
  await clock.advance(601_000);
  recorder.record(web, 'Normal', 'SuccessfulCreate', 'Created pod: web-0');
  await clock.advance(0);
  assert.equal((requests.at(-1)!.body as { message: string }).message, 'Created pod: web-0');
});

test('what is not written for there being too much is counted still', async () => {
  const { clock, requests, recorder } = setUp();
  for (let i = 0; i < 2 * burstMax; i++) {
    recorder.record(web, 'Warning', 'BackOff', 'restarting');
    await clock.advance(0);
  }
  assert.equal(requests.length, burstMax);
  await clock.advance(300_000);
  recorder.record(web, 'Warning', 'BackOff', 'restarting');
  await clock.advance(0);
  assert.equal((requests.at(-1)!.body as { count: number }).count, 2 * burstMax + 1);
});

test('while the server is away events wait, the newest of them in bounded number', async () => {
  const { clock, requests, server, recorder } = setUp();
  server.isDown = true;
  for (let i = 0; i < 2 * pendingMax; i++) {
    recorder.record({ ...web, name: `web-${i}`, uid: `u${i}` }, 'Normal', 'Started', 'started');
  }
  await clock.advance(30_000);
  server.isDown = false;
  await clock.advance(10_000);
  await recorder.flush();
  assert.ok(requests.length >= pendingMax && requests.length <= pendingMax + 1, `${requests.length} written`);
  assert.match((requests.at(-1)!.body as { metadata: { name: string } }).metadata.name, /^web-511\./);
});

test('a refused event throws nothing', async () => {
  const recorder = createEventRecorder({
    client: createClient(async () => ({
      code: 403,
      headers: {},
      kind: 'object',
      object: new StatusError('Forbidden', 'no').toStatus(),
    })),
    clock: new FakeClock(),
    log: silentLog,
    component: 'test',
  });
  recorder.record(web, 'Normal', 'Started', 'started');
  await recorder.flush();
});
