import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { until } from '../../../base/until.ts';
import { InboundLoad } from './inbound-load.ts';

test('requests that are under way at the same time add up', () => {
  let nowMs = 1_000;
  const load = new InboundLoad(() => nowMs);
  assert.equal(load.report(), undefined, 'nobody asked');
  load.begin('curl/8');
  nowMs += 100;
  load.begin(undefined);
  nowMs += 50;
  assert.deepEqual(load.report(), { requests: 2, busyMs: 200, active: 2 });
  load.end();
  nowMs += 10;
  load.end();
  assert.deepEqual(load.report(), { requests: 2, busyMs: 210, active: 0 });
  nowMs += 1_000;
  assert.equal(load.report(), undefined, 'nothing has changed');
});

test('requests of HTTP/1 and HTTP/2 count, and those of who only asks how the pod is do not', async (t) => {
  const load = new InboundLoad();
  load.install();
  const answer = (_: unknown, response: { end(text: string): void }) => response.end('hello');
  const [one, two] = [http.createServer(answer), http2.createServer(answer)];
  for (const server of [one, two]) await once(server.listen(0, '127.0.0.1'), 'listening');
  const portOf = (server: http.Server | http2.Http2Server) => (server.address() as AddressInfo).port;
  const session = http2.connect(`http://127.0.0.1:${portOf(two)}`);
  t.after(() => {
    session.destroy();
    two.close();
    one.close();
    one.closeAllConnections();
  });
  for (const agent of ['curl/8', 'kube-probe/1.32', 'selvage-controller/1'])
    await (await fetch(`http://127.0.0.1:${portOf(one)}/`, { headers: { 'user-agent': agent } })).text();
  const stream = session.request({ ':path': '/' });
  stream.resume();
  await once(stream, 'close');
  let seen = load.report();
  await until('both have ended', () => {
    seen = load.report() ?? seen;
    return seen?.active === 0;
  });
  assert.equal(seen!.requests, 2);
});
