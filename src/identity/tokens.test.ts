import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { FakeClock } from '../base/clock.ts';
import { isStatus } from '../base/errors.ts';
import { formatJoinToken, parseJoinToken } from './join-token.ts';
import { isJwt, openServiceAccountTokens } from './service-account-token.ts';
import { openTokens } from './tokens.ts';

function fileIn(t: TestContext, name: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'selvage-tokens-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, name);
}

const join1 = { name: 'join', user: 'system:bootstrap:selvage', groups: ['system:bootstrappers', 'b'] };

test('a token is known again, also after a restart, and only its hash is kept', (t) => {
  const path = fileIn(t, 'tokens');
  const token = openTokens(path).create(join1);
  const tokens = openTokens(path);
  assert.deepEqual(tokens.verify(token), join1);
  assert.equal(tokens.verify(`${token}x`), undefined);
  assert.equal(tokens.verify(''), undefined);
  assert.ok(!readFileSync(path, 'utf8').includes(token));
  assert.equal(statSync(path).mode & 0o777, 0o600);
});

test('a token that another process adds, replaces or removes is noticed', (t) => {
  const path = fileIn(t, 'tokens');
  const [server, command] = [openTokens(path), openTokens(path)];
  const first = command.create(join1);
  assert.ok(server.verify(first));
  const second = command.create(join1);
  assert.ok(server.verify(second));
  assert.equal(server.verify(first), undefined);
  assert.ok(command.remove('join'));
  assert.equal(command.remove('join'), false);
  assert.equal(server.verify(second), undefined);
  assert.deepEqual(server.list(), []);
});

test('a damaged token file names its line; a name that would damage it is refused', (t) => {
  const path = fileIn(t, 'tokens');
  openTokens(path).create(join1);
  assert.throws(
    () => openTokens(path).create({ ...join1, groups: ['a,b'] }),
    /"a,b" cannot be in a token file/,
  );
  writeFileSync(path, `${readFileSync(path, 'utf8')}oops\n`);
  assert.throws(() => openTokens(path), /line 2 is not/);
});

test('a join token reads back; anything else is told what is wrong without its secret', () => {
  const token = { caHash: 'a1'.repeat(32), secret: 'S3cret-S3cret_S3cret-S3cret' };
  assert.deepEqual(parseJoinToken(` ${formatJoinToken(token)}\n`), token);
  for (const [text, why] of [
    [token.caHash, /1 dots|0 dots/],
    [`${token.caHash}.${token.secret}.x`, /dots/],
    [`abc.${token.secret}`, /3 characters/],
    [`${token.caHash}.short`, /5 characters/],
  ] as const) {
    assert.throws(
      () => parseJoinToken(text),
      (error) => isStatus(error, 'Invalid') && why.test(error.message) && !error.message.includes('S3cret'),
    );
  }
});

const request = {
  namespace: 'shop',
  serviceAccount: { name: 'web', uid: 'u1' },
  pod: { name: 'web-1', uid: 'u2' },
  lifetimeSeconds: 3600,
};

test("a service account token has Kubernetes' claims and is verified until it expires", async (t) => {
  const clock = new FakeClock();
  const keyPath = fileIn(t, 'sa.key');
  const issued = openServiceAccountTokens({ keyPath, clock }).issue(request);
  const tokens = openServiceAccountTokens({ keyPath, clock });
  const claims = tokens.verify(issued.token);
  assert.equal(claims.sub, 'system:serviceaccount:shop:web');
  assert.deepEqual(claims.aud, [tokens.issuer]);
  assert.deepEqual(claims['kubernetes.io'], {
    namespace: 'shop',
    pod: request.pod,
    serviceaccount: request.serviceAccount,
  });
  assert.equal(issued.expirationMs, clock.nowMs() + 3600_000);
  assert.ok(isJwt(issued.token));
  await clock.advance(3600_000);
  assert.throws(
    () => tokens.verify(issued.token),
    (error) => isStatus(error, 'Unauthorized') && /expired/.test(error.message),
  );
});

test('a token that was altered, is of another key, audience or algorithm is refused', (t) => {
  const tokens = openServiceAccountTokens({ keyPath: fileIn(t, 'sa.key') });
  const others = openServiceAccountTokens({ keyPath: fileIn(t, 'sa.key') });
  const { token } = tokens.issue({ ...request, audiences: ['vault'] });
  const refused = (text: string, why: RegExp, audience = 'vault') =>
    assert.throws(
      () => tokens.verify(text, { audience }),
      (error) => isStatus(error, 'Unauthorized') && why.test(error.message),
    );
  assert.ok(tokens.verify(token, { audience: 'vault' }));
  refused(token, /it is for vault, not other/, 'other');
  refused(others.issue({ ...request, audiences: ['vault'] }).token, /signature/);
  const [header, payload, signature] = token.split('.');
  const altered = Buffer.from(payload!, 'base64url').toString().replace('shop', 'bank');
  refused(`${header}.${Buffer.from(altered).toString('base64url')}.${signature}`, /signature/);
  const none = Buffer.from('{"alg":"none"}').toString('base64url');
  refused(`${none}.${payload}.`, /signature/);
  refused('abc', /not a JWT/);
  assert.throws(() => tokens.issue({ ...request, lifetimeSeconds: 5 }), /10 minutes/);
});

test('the published key verifies a token by the standard Web Crypto API', async (t) => {
  const tokens = openServiceAccountTokens({ keyPath: fileIn(t, 'sa.key') });
  const { token } = tokens.issue(request);
  const [header, payload, signature] = token.split('.');
  const [jwk] = tokens.jwks().keys;
  assert.equal(JSON.parse(Buffer.from(header!, 'base64url').toString()).kid, jwk!.kid);
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const key = await crypto.subtle.importKey('jwk', { ...jwk! }, algorithm, false, ['verify']);
  const data = Buffer.from(`${header}.${payload}`);
  assert.ok(await crypto.subtle.verify(algorithm, key, Buffer.from(signature!, 'base64url'), data));
});
