import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '../base/clock.ts';
import { Metrics } from '../base/metrics.ts';
import { until } from '../base/until.ts';
import { jsonAnswer } from './http-exchange.ts';
import { createPayloadLog, eventsMax, withPayloadLog } from './payload-log.ts';

const source = { inferenceService: 'm', namespace: 'ns', component: 'predictor', endpoint: 'default' };

function open(options: { mode?: 'all' | 'request' | 'response'; send?: () => Promise<Response> } = {}) {
  const { mode = 'all', send = async () => new Response() } = options;
  const sent: { headers: Record<string, string>; body: string }[] = [];
  const logged: string[] = [];
  const metrics = new Metrics();
  const handle = withPayloadLog(
    async (request) => {
      const body = request.method === 'POST' ? await request.read() : '';
      return request.path.endsWith('bad/infer') ? jsonAnswer({}, 404) : jsonAnswer({ got: String(body) });
    },
    createPayloadLog({
      url: 'http://log/',
      mode,
      source,
      metrics,
      clock: new FakeClock(),
      log: (message) => logged.push(message),
      fetch: async (_url, init) => {
        sent.push({ headers: init!.headers as Record<string, string>, body: String(init!.body) });
        return send();
      },
    }),
  );
  const ask = (path: string, text = 'x', headers: Record<string, string> = {}) =>
    handle({
      method: 'POST',
      path,
      query: '',
      header: (name) => headers[name],
      read: () => Buffer.from(text),
    });
  return { ask, sent, logged, metrics };
}
const arrived = (sent: unknown[], count: number) =>
  until(`${count} events are sent`, () => sent.length === count, 60_000);

test('requests for an inference and their answers are sent as KServe’s events, with one id', async () => {
  const { ask, sent } = open();
  assert.equal((await ask('/v2/models/m/infer', 'hello', { 'x-request-id': 'r1' })).body, '{"got":"hello"}');
  await ask('/v2/models/m/ready');
  await arrived(sent, 2);
  assert.deepEqual(
    sent.map(({ headers, body }) => [headers['ce-type'], headers['ce-id'], body]),
    [
      ['org.kubeflow.serving.inference.request', 'r1', 'hello'],
      ['org.kubeflow.serving.inference.response', 'r1', '{"got":"hello"}'],
    ],
  );
  const { headers } = sent[0]!;
  assert.equal(headers['ce-specversion'], '1.0');
  assert.equal(headers['ce-inferenceservicename'], 'm');
  assert.equal(headers['ce-namespace'], 'ns');
  assert.equal(headers['content-type'], 'application/json');
});

test('the mode leaves requests or answers out, and what failed has no answer to log', async () => {
  for (const mode of ['request', 'response'] as const) {
    const { ask, sent } = open({ mode });
    await ask('/v1/models/m:predict');
    await ask('/v2/models/bad/infer');
    await arrived(sent, mode === 'request' ? 2 : 1);
    const types = sent.map(({ headers }) => headers['ce-type']!.split('.').at(-1));
    assert.deepEqual(types, mode === 'request' ? ['request', 'request'] : ['response']);
  }
});

test('what makes a binary body readable goes with it', async () => {
  const { ask, sent } = open({ mode: 'request' });
  await ask('/v2/models/m/infer', 'x', {
    'inference-header-content-length': '7',
    'content-encoding': 'gzip',
  });
  await arrived(sent, 1);
  assert.equal(sent[0]?.headers['inference-header-content-length'], '7');
  assert.equal(sent[0]?.headers['content-encoding'], 'gzip');
});

test('a log that hangs or fails delays no answer; what it can’t take is dropped and counted', async () => {
  const hanging = Promise.withResolvers<Response>();
  const { ask, metrics, logged } = open({ mode: 'request', send: () => hanging.promise });
  for (let asked = 0; asked < eventsMax + 11; asked++)
    assert.equal((await ask('/v2/models/m/infer')).status, 200);
  // One is on its way.
  assert.match(metrics.expose(), /selvage_payload_log_events_total\{outcome="dropped"\} 10\n/);
  hanging.resolve(new Response(null, { status: 500 }));
  const failed = /selvage_payload_log_events_total\{outcome="failed"\} 257\n/;
  await until('all have failed', () => failed.test(metrics.expose()), 60_000);
  assert.deepEqual(logged, ['payloads are not logged to http://log/: it answered 500'], 'said once');
});
