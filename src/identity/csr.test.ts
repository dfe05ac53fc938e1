import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { isStatus, StatusError } from '../base/errors.ts';
import { createRequest, parseRequest } from './csr.ts';
import { fromPem, toPem } from './der.ts';

const names = {
  commonName: 'system:node:edge-a',
  organizations: ['system:nodes'],
  dnsNames: ['edge-a'],
  ipAddresses: ['10.0.0.1', '::1'],
  uris: ['spiffe://cluster.local/ns/shop/sa/web'],
};

test('a request reads back as it was made, with or without other names', () => {
  const { publicKey, ...read } = parseRequest(createRequest(names).csrPem);
  assert.deepEqual(read, names);
  assert.equal(publicKey.asymmetricKeyDetails?.namedCurve, 'prime256v1');
  const plain = parseRequest(createRequest({ commonName: 'a' }).csrPem);
  assert.deepEqual([plain.commonName, plain.organizations, plain.uris], ['a', [], []]);
});

test('a request can be made again for a key that is there already', () => {
  const { privateKeyPem, csrPem } = createRequest(names);
  const again = createRequest({ commonName: 'b' }, { privateKeyPem });
  assert.ok(parseRequest(again.csrPem).publicKey.equals(parseRequest(csrPem).publicKey));
});

test('a request that was altered after signing is refused', () => {
  const der = fromPem('CERTIFICATE REQUEST', createRequest(names).csrPem);
  der[der.indexOf('edge-a')] = 'E'.charCodeAt(0);
  assert.throws(
    () => parseRequest(toPem('CERTIFICATE REQUEST', der)),
    (error) => isStatus(error, 'BadRequest') && /signature does not match/.test(error.message),
  );
});

test('a weak key is refused', () => {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 1024 });
  const privateKeyPem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const { csrPem } = createRequest(names, { privateKeyPem });
  assert.throws(
    () => parseRequest(csrPem),
    (error) => isStatus(error, 'BadRequest') && /rsa key that is not accepted/.test(error.message),
  );
});

test('names that do not fit into a certificate are refused when it is made', () => {
  assert.throws(() => createRequest({ commonName: 'a', dnsNames: ['ü'] }), /"ü" cannot be a name/);
  assert.throws(
    () => createRequest({ commonName: 'a', ipAddresses: ['1.2.3'] }),
    /"1.2.3" is not an IP address/,
  );
});

test('whatever is sent as a request, the answer is BadRequest and nothing worse', (t) => {
  const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);
  t.diagnostic(`seed ${seed}`);
  let state = seed;
  const pick = (below: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state >>> 8) % below;
  };
  const good = fromPem('CERTIFICATE REQUEST', createRequest(names).csrPem);
  for (let n = 0; n < 3000; n++) {
    const bytes = Buffer.from(good.subarray(0, pick(8) === 0 ? pick(good.length) : good.length));
    for (let change = pick(4) + 1; change > 0 && bytes.length > 0; change--)
      bytes[pick(bytes.length)] = pick(256);
    if (bytes.equals(good) || bytes.length === 0) continue;
    try {
      parseRequest(toPem('CERTIFICATE REQUEST', bytes));
      assert.fail(`accepted: ${bytes.toString('hex')}`);
    } catch (error) {
      assert.ok(error instanceof StatusError && error.reason === 'BadRequest', String(error));
    }
  }
  for (const text of [
    '',
    'x',
    '-----BEGIN CERTIFICATE REQUEST-----\n-----END CERTIFICATE REQUEST-----',
    'A'.repeat(70_000),
  ]) {
    assert.throws(
      () => parseRequest(text),
      (error) => isStatus(error, 'BadRequest'),
    );
  }
});
