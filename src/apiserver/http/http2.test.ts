import assert from 'node:assert/strict';
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from 'node:http2';
import { after, before, test } from 'node:test';
import { configMap, send } from '../test-request.ts';
import { startTestServer, type TestServer } from '../test-server.ts';
import { streamsPerConnectionMax } from './http2.ts';

const maps = '/api/v1/namespaces/default/configmaps';
let running: TestServer;

before(async () => {
  running = await startTestServer();
});
after(() => running.close());

function open(user = 'selvage-admin'): ClientHttp2Session {
  const { certificatePem: cert, privateKeyPem: key } = running.issueClient(user);
  const session = connect(`https://127.0.0.1:${running.port}`, { ca: running.authority.caPem, cert, key });
  session.on('error', () => {});
  return session;
}

async function text(stream: ClientHttp2Stream): Promise<{ code: number; text: string }> {
  let code = 0;
  stream.on('response', (headers) => {
    code = Number(headers[constants.HTTP2_HEADER_STATUS]);
  });
  let body = '';
  for await (const chunk of stream.setEncoding('utf8')) body += chunk;
  return { code, text: body };
}

const get = (session: ClientHttp2Session, path: string, more: object = {}) =>
  text(session.request({ ':path': path, ...more }));

test('many requests share one HTTP/2 connection, each as the user of its certificate', async () => {
  const session = open();
  const create = session.request({ ':path': maps, ':method': 'POST', 'content-type': 'application/json' });
  create.end(JSON.stringify(configMap('over-h2', { data: { a: '1' } })));
  assert.equal((await text(create)).code, 201);
  const answers = await Promise.all(Array.from({ length: 50 }, () => get(session, `${maps}/over-h2`)));
  for (const { code, text: body } of answers) {
    assert.equal(code, 200);
    assert.equal(JSON.parse(body).data.a, '1');
  }
  const missing = await get(session, `${maps}/none`);
  assert.equal(missing.code, 404);
  session.close();
});

test('each impersonated group of an HTTP/2 request is told apart', async () => {
  const session = open();
  const asked = session.request({
    ':path': '/apis/authentication.k8s.io/v1/selfsubjectreviews',
    ':method': 'POST',
    'content-type': 'application/json',
    'impersonate-user': 'bob',
    'impersonate-group': ['one', 'two, three'],
  });
  asked.end('{}');
  const { userInfo } = JSON.parse((await text(asked)).text).status;
  assert.deepEqual(userInfo.groups, ['one', 'two, three', 'system:authenticated']);
  session.close();
});

test('a watch over HTTP/2 streams beside other requests and ends when its client cancels it', async () => {
  const session = open();
  const watch = session.request({ ':path': `${maps}?watch=true&fieldSelector=metadata.name%3Dseen-h2` });
  const first = new Promise<string>((resolve) => watch.once('data', (chunk) => resolve(String(chunk))));
  const opened = new Promise((resolve) => watch.once('response', resolve));
  await opened;
  await send(running.server.transport(), `POST ${maps}`, { body: configMap('seen-h2') });
  assert.equal(JSON.parse(await first).object.metadata.name, 'seen-h2');
  assert.equal((await get(session, '/livez')).text, 'ok');
  watch.close(constants.NGHTTP2_CANCEL);
  session.close();
});

test('a connection may have so many requests under way, and no more', async () => {
  const session = open();
  await get(session, '/livez');
  assert.equal(session.remoteSettings.maxConcurrentStreams, streamsPerConnectionMax);
  assert.equal(session.remoteSettings.maxHeaderListSize, 16 * 1024);
  session.close();
});

test('who opens and cancels streams without end is cut off, and others are served on', async () => {
  const attacker = open();
  await get(attacker, '/livez');
  const ended = new Promise<void>((resolve) => attacker.once('close', () => resolve()));
  let sent = 0;
  const attack = () => {
    for (let count = 0; count < 50 && !attacker.destroyed && !attacker.closed; count++) {
      const stream = attacker.request({ ':path': maps });
      stream.on('error', () => {});
      stream.close(constants.NGHTTP2_CANCEL);
      sent += 1;
    }
    if (!attacker.destroyed && !attacker.closed && sent < 100_000) setImmediate(attack);
  };
  attack();
  await ended;
  assert.ok(sent < 100_000, `the connection ended after ${sent} streams`);
  const other = open();
  assert.equal((await get(other, '/livez')).text, 'ok');
  other.close();
});

test('headers beyond the bound are refused, and the server goes on', async () => {
  const session = open();
  const answer = await get(session, '/livez', { 'x-large': 'x'.repeat(40_000) });
  assert.equal(answer.code, 431);
  session.destroy();
  const other = open();
  assert.equal((await get(other, '/livez')).text, 'ok');
  other.close();
});
