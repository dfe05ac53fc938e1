import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import type { IncomingHttpHeaders } from 'node:http';
import { request } from 'node:https';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { parse } from 'yaml';
import { configMap, send } from '../test-request.ts';
import { startTestServer, type TestServer } from '../test-server.ts';
import { charactersKept, jsonOf, keptCharactersMax } from './encode.ts';
import { gzipBytesMin } from './write-response.ts';

const maps = '/api/v1/namespaces/default/configmaps';
const many = '/api/v1/namespaces/kube-system/configmaps';
const count = 300;
let running: TestServer;
let admin: { cert: string; key: string };

before(async () => {
  running = await startTestServer({
    admission: [
      {
        name: 'Slow',
        mutate: ({ name }) => (name === 'slow' ? new Promise(() => {}) : undefined),
      },
    ],
  });
  const { certificatePem, privateKeyPem } = running.issueClient('admin');
  admin = { cert: certificatePem, key: privateKeyPem };
  const transport = running.server.transport();
  for (let i = 0; i < count; i++) {
    const body = configMap(`many-${String(i).padStart(3, '0')}`, { data: { text: 'x'.repeat(1000) } });
    await send(transport, `POST ${many}`, { body });
  }
});
after(() => running.close());

interface Answer {
  code: number;
  headers: IncomingHttpHeaders;
  bytes: Buffer;
  text: string;
}

function fetch(
  path: string,
  { method = 'GET', headers = {}, body }: { method?: string; headers?: object; body?: string | Buffer } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const tls = { ca: running.authority.caPem, ...admin, agent: false as const };
    const sent = request(
      { host: '127.0.0.1', port: running.port, path, method, headers: { ...headers }, ...tls },
      async (response) => {
        const chunks: Buffer[] = [];
        for await (const chunk of response) chunks.push(chunk);
        const bytes = Buffer.concat(chunks);
        resolve({ code: response.statusCode!, headers: response.headers, bytes, text: bytes.toString() });
      },
    );
    sent.on('error', reject).end(body);
  });
}

test('a request that is not done within its ?timeout is answered with 504', async () => {
  const body = JSON.stringify(configMap('slow'));
  const { code, text } = await fetch(`${maps}?timeout=50ms`, { method: 'POST', body });
  assert.equal(code, 504);
  const status = JSON.parse(text);
  assert.equal(status.reason, 'Timeout');
  assert.match(status.message, /request did not complete within requested timeout/);
  const wrong = await fetch(`${maps}?timeout=soon`);
  assert.equal(wrong.code, 400);
  assert.match(JSON.parse(wrong.text).message, /time: invalid duration "soon"/);
  assert.equal((await fetch(`${maps}?timeout=32s`)).code, 200);
});

test('people get lines to read, programs one line, both what they ask for', async () => {
  const lines = async (path: string, agent: string) =>
    (await fetch(path, { headers: { 'user-agent': agent } })).text.trimEnd().split('\n').length;
  assert.ok((await lines('/api/v1/namespaces/default', 'curl/8')) > 5);
  assert.equal(await lines('/api/v1/namespaces/default', 'kubectl/v1.32.0'), 1);
  assert.ok((await lines('/api/v1/namespaces/default?pretty=true', 'kubectl/v1.32.0')) > 5);
  assert.equal(await lines('/api/v1/namespaces/default?pretty=false', 'curl/8'), 1);
});

test('every answer has an Audit-ID: that of the client, or a new one', async () => {
  const given = await fetch('/version', { headers: { 'audit-id': 'from-the-client' } });
  assert.equal(given.headers['audit-id'], 'from-the-client');
  const [one, other] = await Promise.all([fetch('/version'), fetch('/nowhere')]);
  assert.match(String(one.headers['audit-id']), /^[\da-f]{8}-[\da-f-]{27}$/);
  assert.notEqual(one.headers['audit-id'], other.headers['audit-id']);
  const long = await fetch('/version', { headers: { 'audit-id': 'x'.repeat(500) } });
  assert.equal(String(long.headers['audit-id']).length, 64);
});

test('a compressed body is refused, and says what to do', async () => {
  const headers = { 'content-encoding': 'gzip', 'content-type': 'application/json' };
  const { code, text } = await fetch(maps, { method: 'POST', headers, body: Buffer.from([31, 139]) });
  assert.equal(code, 400);
  assert.match(JSON.parse(text).message, /Content-Encoding "gzip" is not accepted: send it as it is/);
});

test('a long list is the same compressed, in YAML and in lines to read', async () => {
  const plain = await fetch(many);
  assert.ok(plain.bytes.length > gzipBytesMin);
  const list = JSON.parse(plain.text);
  assert.equal(list.items.length, count);
  const zipped = await fetch(many, { headers: { 'accept-encoding': 'gzip' } });
  assert.equal(zipped.headers['content-encoding'], 'gzip');
  assert.equal(zipped.headers.vary, 'Accept-Encoding');
  assert.ok(zipped.bytes.length < plain.bytes.length / 3);
  assert.deepEqual(JSON.parse(gunzipSync(zipped.bytes).toString()), list);
  const yaml = await fetch(many, { headers: { accept: 'application/yaml' } });
  assert.equal(yaml.headers['content-type'], 'application/yaml');
  assert.deepEqual(parse(yaml.text), list);
  const pretty = await fetch(`${many}?pretty=1`);
  assert.ok(pretty.text.split('\n').length > count * 5);
  assert.deepEqual(JSON.parse(pretty.text), list);
});

test('a list whose page is compacted away can go on with what is there now', async () => {
  const first = JSON.parse((await fetch(`${many}?limit=100`)).text);
  const { store } = running;
  await send(running.server.transport(), `POST ${maps}`, { body: configMap('later') });
  store.compact(store.revision());
  const expired = await fetch(`${many}?limit=100&continue=${first.metadata.continue}`);
  assert.equal(expired.code, 410);
  const token = JSON.parse(expired.text).metadata.continue;
  assert.ok(token, 'the answer has a token to go on with');
  const rest = JSON.parse((await fetch(`${many}?continue=${token}`)).text);
  assert.equal(rest.items.length, count - 100);
  assert.equal(rest.items[0].metadata.name, 'many-100');
});

test('the JSON that is kept of objects is bounded', () => {
  const text = 'x'.repeat(60_000);
  for (let i = 0; i < 300; i++) jsonOf({ i, text });
  assert.ok(charactersKept() <= keptCharactersMax);
  assert.ok(charactersKept() > keptCharactersMax / 2);
  const before = charactersKept();
  jsonOf({ text: 'x'.repeat(100_000) });
  assert.equal(charactersKept(), before, 'a large one is not kept');
});

test('curl chooses HTTP/2 when it is offered, and HTTP/1.1 when it is told to', async () => {
  const file = (name: string, text: string) => {
    const path = join(running.dir, name);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  };
  const files = [
    ['--cacert', file('ca.pem', running.authority.caPem)],
    ['--cert', file('cert.pem', admin.cert)],
    ['--key', file('key.pem', admin.key)],
  ].flat();
  const curl = (how: string) =>
    new Promise<string>((resolve, reject) => {
      const url = `https://127.0.0.1:${running.port}${many}`;
      const format = [
        '--silent',
        '--output',
        join(running.dir, 'out'),
        '--write-out',
        '%{http_version} %{http_code}',
      ];
      const child = spawn('curl', [how, ...files, ...format, url]);
      let text = '';
      child.stdout.on('data', (chunk) => {
        text += chunk;
      });
      child.on('error', reject).on('close', () => resolve(text));
    });
  assert.equal(await curl('--http2'), '2 200');
  assert.equal(await curl('--http1.1'), '1.1 200');
});
