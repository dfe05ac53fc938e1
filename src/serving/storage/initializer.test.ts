// The init container's program, as a process of its own, against servers over TLS that this test runs.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, RequestListener } from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { openAuthority } from '../../identity/authority.ts';
import { signedHeaders } from './sign-request.ts';

const main = fileURLToPath(new URL('main.ts', import.meta.url));
const secret = { accessKeyId: 'minio', secretAccessKey: 'minio123' };

async function serve(t: TestContext, listener: RequestListener) {
  const home = mkdtempSync(join(tmpdir(), 'initializer-'));
  t.after(() => rmSync(home, { recursive: true }));
  const authority = openAuthority({ dir: join(home, 'ca') });
  const { certificatePem, privateKeyPem } = authority.issue({
    commonName: 'store',
    ipAddresses: ['127.0.0.1'],
    usages: ['server'],
    lifetimeSeconds: 3_600,
  });
  const server = https.createServer({ cert: certificatePem, key: privateKeyPem }, listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const bundle = join(home, 'cabundle.crt');
  writeFileSync(bundle, authority.caPem);
  const { port } = server.address() as AddressInfo;
  return { url: `https://127.0.0.1:${port}`, bundle, home };
}

/** What the program says, its exit code, and what then lies in its folder. */
function run(home: string, env: Record<string, string>) {
  const folder = mkdtempSync(join(home, 'models-'));
  const mounts = { SELVAGE_MOUNTS: JSON.stringify({ '/mnt/models': folder, '/etc/ssl/custom-certs': home }) };
  return new Promise<{ code: number; said: string; files: string[]; folder: string }>((resolve) =>
    execFile(process.execPath, [main], { env: { ...mounts, ...env } }, (error, out, err) => {
      const files = readdirSync(folder, { recursive: true }).map(String).sort();
      resolve({ code: error ? Number(error.code) : 0, said: out + err, files, folder });
    }),
  );
}

/** A bucket that answers what is signed with its secret and nothing else, two objects a page. */
function bucket(objects: Record<string, string>): RequestListener {
  return (request, response) => {
    const url = new URL(request.url ?? '', `https://${request.headers.host}`);
    if (!isSigned(request, url)) {
      const why =
        '<Error><Code>SignatureDoesNotMatch</Code><Message>check &lt;your&gt; key</Message></Error>';
      return response.writeHead(403).end(why);
    }
    const [, name, ...key] = decodeURIComponent(url.pathname).split('/');
    if (name !== 'models') return response.writeHead(404).end('<Error><Code>NoSuchBucket</Code></Error>');
    if (key.join('/') !== '') return response.end(objects[key.join('/')]);
    const query = url.searchParams;
    const all = Object.keys(objects).filter((each) => each.startsWith(query.get('prefix') ?? ''));
    const from = Number(query.get('continuation-token') ?? 0);
    const rest = all.length > from + 2;
    const shown = all
      .slice(from, from + 2)
      .map((each) => `<Contents><Key>${encodeURIComponent(each)}</Key></Contents>`);
    const next = rest ? `<NextContinuationToken>${from + 2}</NextContinuationToken>` : '';
    response.end(
      `<ListBucketResult><IsTruncated>${rest}</IsTruncated>${shown.join('')}${next}</ListBucketResult>`,
    );
  };
}

function isSigned({ method = '', headers }: IncomingMessage, url: URL): boolean {
  const time = String(headers['x-amz-date']).replace(
    /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/,
    '$1-$2-$3T$4:$5:$6Z',
  );
  const scope = { region: 'eu-1', service: 's3', nowMs: Date.parse(time) };
  if (!Number.isFinite(scope.nowMs)) return false;
  return headers.authorization === signedHeaders({ method, url }, secret, scope).authorization;
}

test('a model comes over HTTPS from a server whose authority is given, and from no other', async (t) => {
  const { url, bundle, home } = await serve(t, (request, response) =>
    response.writeHead(request.headers['x-key'] === 'a:b' ? 200 : 401).end('onnx'),
  );
  const env = { STORAGE_URI: `${url}/model`, STORAGE_HEADERS: 'Accept: */*\nX-Key: a:b\n' };
  const trusted = await run(home, { ...env, CA_BUNDLE: bundle });
  assert.deepEqual([trusted.code, trusted.files], [0, ['model.onnx']], trusted.said);
  const mounted = await run(home, { ...env, CA_BUNDLE: '/etc/ssl/custom-certs/cabundle.crt' });
  assert.equal(mounted.code, 0, mounted.said);
  const other = await run(home, env);
  assert.equal(other.code, 1);
  assert.match(other.said, /the model was not fetched: .*(certificate|fetch failed)/);
  const unnamed = await run(home, { STORAGE_URI: `${url}/model`, CA_BUNDLE: bundle });
  assert.match(unnamed.said, /answered 401/);
});

test('a model comes from S3, object by object, signed as the server checks it', async (t) => {
  const objects = {
    'iris/graph.onnx': 'graph',
    'iris/weights.safetensors': 'weights',
    'iris/': '',
    'iris/sub/a b+ü.txt': 'text',
    'iris2/graph.onnx': 'other',
    'one/model': 'onnx',
  };
  const { url, bundle, home } = await serve(t, bucket(objects));
  const access = { AWS_ACCESS_KEY_ID: secret.accessKeyId, AWS_SECRET_ACCESS_KEY: secret.secretAccessKey };
  const server = { AWS_ENDPOINT_URL: url, AWS_DEFAULT_REGION: 'eu-1', CA_BUNDLE: bundle };
  const folder = await run(home, { ...access, ...server, STORAGE_URI: 's3://models/iris' });
  assert.equal(folder.code, 0, folder.said);
  assert.deepEqual(folder.files, ['graph.onnx', 'sub', 'sub/a b+ü.txt', 'weights.safetensors']);
  assert.equal(readFileSync(join(folder.folder, 'sub/a b+ü.txt'), 'utf8'), 'text');
  const one = await run(home, { ...access, ...server, STORAGE_URI: 's3://models/one/' });
  assert.deepEqual([one.code, one.files], [0, ['model.onnx']], one.said);
  const storage = {
    endpoint_url: url,
    region: 'eu-1',
    access_key_id: 'minio',
    secret_access_key: 'minio123',
  };
  const spec = { STORAGE_CONFIG: JSON.stringify(storage), CA_BUNDLE: bundle };
  const kept = await run(home, { ...spec, STORAGE_URI: 's3://models/one/model', STORAGE_FILE: 'model' });
  assert.deepEqual([kept.code, kept.files], [0, ['model']], kept.said);
  const said = async (more: Record<string, string>) => {
    const { code, said } = await run(home, { ...access, ...server, ...more });
    assert.equal(code, 1, said);
    return said;
  };
  assert.match(
    await said({ STORAGE_URI: 's3://models/none' }),
    /s3:\/\/models\/none: the bucket has nothing there/,
  );
  assert.match(
    await said({ STORAGE_URI: 's3://others/iris' }),
    /answered 404 for bucket "others": NoSuchBucket/,
  );
  assert.match(
    await said({ STORAGE_URI: 's3://models/iris', AWS_SECRET_ACCESS_KEY: 'wrong' }),
    /answered 403 for bucket "models": SignatureDoesNotMatch: check <your> key/,
  );
  assert.match(
    await said({ STORAGE_URI: 's3://models/iris', awsAnonymousCredential: 'true' }),
    /SignatureDoesNotMatch/,
  );
});
