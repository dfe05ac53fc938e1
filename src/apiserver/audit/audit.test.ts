import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { systemClock } from '../../base/clock.ts';
import { silentLog } from '../../base/log.ts';
import { Metrics } from '../../base/metrics.ts';
import { until } from '../../base/until.ts';
import { startTestServer } from '../test-server.ts';
import { LogFile, pendingCharactersMax } from './log-file.ts';
import { openAudit } from './open-audit.ts';
import { readPolicy } from './policy.ts';

function inFolder<T>(work: (dir: string) => Promise<T>): Promise<T> {
  const dir = mkdtempSync(join(tmpdir(), 'selvage-audit-'));
  return work(dir).finally(() => rmSync(dir, { recursive: true, force: true }));
}

const policy = `
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
omitManagedFields: true
rules:
  - level: None
    nonResourceURLs: [/version, /openapi*]
  - level: Metadata
    resources: [{ group: "", resources: [secrets] }]
  - level: RequestResponse
    verbs: [create]
    resources: [{ group: "", resources: [configmaps] }]
  - level: Request
    users: [alice]
    namespaces: [default]
    omitStages: [ResponseComplete]
  - level: Metadata
`;

/** Starts a server that is audited; `read` closes the log and returns its events. */
async function audited(dir: string, text = policy) {
  writeFileSync(join(dir, 'policy.yaml'), text);
  const path = join(dir, 'audit.log');
  const options = { policyFile: join(dir, 'policy.yaml'), logPath: path };
  const { audit, close } = await openAudit(
    { ...options, maxSizeMegabytes: 0, maxBackups: 0, maxAgeDays: 0 },
    { clock: systemClock, log: silentLog, metrics: new Metrics() },
  );
  const running = await startTestServer({ audit });
  const ask = (
    line: string,
    { as = 'admin', body, headers = {} }: { as?: string; body?: object; headers?: object } = {},
  ) =>
    new Promise<number>((resolve, reject) => {
      const [method, target] = line.split(' ') as [string, string];
      const { certificatePem, privateKeyPem } = running.issueClient(
        as,
        as === 'admin' ? ['system:masters'] : [],
      );
      const tls = {
        ca: running.authority.caPem,
        cert: certificatePem,
        key: privateKeyPem,
        agent: false as const,
      };
      const sent = request(
        { host: '127.0.0.1', port: running.port, path: target, method, headers: { ...headers }, ...tls },
        (response) => {
          response.resume().on('end', () => resolve(response.statusCode!));
        },
      );
      sent.on('error', reject).end(body && JSON.stringify(body));
    });
  const lines = () =>
    readFileSync(path, 'utf8')
      .split('\n')
      .filter((line) => line !== '');
  const events = async (count: number) => {
    await until(`${count} events`, async () => lines().length >= count);
    return lines().map((line) => JSON.parse(line));
  };
  const stop = async () => {
    await running.close();
    await close();
  };
  return { ask, events, stop };
}

test('each request is written down as the first rule that matches it says', () =>
  inFolder(async (dir) => {
    const { ask, events, stop } = await audited(dir);
    const path = '/api/v1/namespaces/default';
    await ask('GET /version');
    await ask(`POST ${path}/secrets`, { body: { metadata: { name: 's' }, stringData: { a: 'b' } } });
    await ask(`POST ${path}/configmaps?fieldManager=me`, {
      body: { metadata: { name: 'c' }, data: { a: 'b' } },
    });
    await ask(`GET ${path}/configmaps/c`, { as: 'bob' });
    const impersonating = { 'impersonate-user': 'carol', 'audit-id': 'given-id', 'user-agent': 'test/1' };
    await ask(`GET ${path}/configmaps?limit=5`, { headers: impersonating });
    await ask(`GET ${path}/configmaps?watch=true&timeoutSeconds=1`);
    const [secret, made, refused, impersonated, started, ended, ...others] = await events(6);
    await stop();
    assert.deepEqual(others, []);
    assert.equal(secret.level, 'Metadata');
    assert.equal(secret.requestObject, undefined);
    assert.deepEqual(secret.objectRef, {
      resource: 'secrets',
      namespace: 'default',
      name: 's',
      apiVersion: 'v1',
    });
    assert.equal(secret.stage, 'ResponseComplete');
    assert.deepEqual(secret.responseStatus, { metadata: {}, code: 201 });
    const { extra, ...user } = secret.user;
    assert.deepEqual(user, { username: 'admin', groups: ['system:masters', 'system:authenticated'] });
    assert.match(extra['authentication.kubernetes.io/credential-id'][0], /^X509SHA256=[0-9a-f]{64}$/);
    assert.deepEqual(secret.sourceIPs, ['127.0.0.1']);
    assert.equal(secret.annotations['authorization.k8s.io/decision'], 'allow');
    assert.match(secret.requestReceivedTimestamp, /^\d{4}-\d\d-\d\dT[\d:]+\.\d{6}Z$/);
    assert.deepEqual(made.requestObject.data, { a: 'b' });
    assert.equal(made.responseObject.metadata.name, 'c');
    assert.equal(made.responseObject.metadata.managedFields, undefined);
    assert.equal(refused.annotations['authorization.k8s.io/decision'], 'forbid');
    assert.equal(refused.responseStatus.reason, 'Forbidden');
    assert.equal(refused.responseStatus.code, 403);
    assert.equal(impersonated.auditID, 'given-id');
    assert.equal(impersonated.userAgent, 'test/1');
    assert.equal(impersonated.user.username, 'admin');
    assert.equal(impersonated.impersonatedUser.username, 'carol');
    assert.equal(impersonated.requestURI, `${path}/configmaps?limit=5`);
    assert.deepEqual(
      [started.stage, ended.stage, started.verb],
      ['ResponseStarted', 'ResponseComplete', 'watch'],
    );
    assert.equal(started.auditID, ended.auditID);
  }));

test('wrong credentials leave a trace', () =>
  inFolder(async (dir) => {
    const { ask, events, stop } = await audited(dir);
    assert.equal(await ask('GET /api/v1/nodes', { as: '', headers: { authorization: 'Bearer no' } }), 401);
    const [refused] = await events(1);
    await stop();
    assert.equal(refused.stage, 'ResponseStarted');
    assert.equal(refused.responseStatus.code, 401);
    assert.deepEqual(refused.user, {});
  }));

test('a list is kept whole where responses are wanted', () =>
  inFolder(async (dir) => {
    const rules = 'rules: [{ level: RequestResponse, resources: [{ group: "", resources: [namespaces] }] }]';
    const { ask, events, stop } = await audited(
      dir,
      `{ apiVersion: audit.k8s.io/v1, kind: Policy, ${rules} }`,
    );
    await ask('GET /api/v1/namespaces');
    const [received, complete] = await events(2);
    await stop();
    assert.equal(received.stage, 'RequestReceived');
    assert.ok(complete.responseObject.items.length >= 4);
  }));

test('a policy that is wrong is refused with its place', () =>
  inFolder(async (dir) => {
    const path = join(dir, 'policy.yaml');
    const head = 'apiVersion: audit.k8s.io/v1\nkind: Policy\n';
    const cases: [string, RegExp][] = [
      [`${head}rules: []`, /it has no rules/],
      [`${head}rules:\n- level: Metdata`, /rules\[0\]\.level: Unsupported value: "Metdata"/],
      [`${head}rules:\n- levle: Metadata`, /unknown field "rules\[0\]\.levle"/],
      [`${head}rules:\n- users: [a]`, /rules\[0\]\.level: Required value/],
      [`${head}omitStages: [Later]\nrules:\n- level: None`, /omitStages\[0\]: Invalid value: "Later"/],
      [
        `${head}rules:\n- level: None\n  nonResourceURLs: [version]\n  namespaces: [a]`,
        /must begin with a '\/' character; rules\[0\]\.nonResourceURLs: Invalid value/,
      ],
      [
        `${head}rules:\n- level: None\n  resources: [{ group: "", resourceNames: [a] }]`,
        /resourceNames: Invalid value: \[\]string\{"a"\}: using resourceNames requires at least one resource/,
      ],
      ['kind: Policy\nrules: [}', /at line 2, column/],
      ['apiVersion: v1\nkind: Pod', /expected API version \(audit.k8s.io\/v1\)/],
    ];
    for (const [text, expected] of cases) {
      writeFileSync(path, text);
      await assert.rejects(readPolicy(path), expected, text);
    }
    await assert.rejects(readPolicy(join(dir, 'none')), /ENOENT/);
  }));

test('a full log is put aside, and old ones go', () =>
  inFolder(async (dir) => {
    let nowMs = Date.UTC(2026, 0, 31);
    const limits = { maxSizeMegabytes: 1, maxBackups: 2, maxAgeDays: 0 };
    const path = join(dir, 'audit.log');
    const file = new LogFile({ path, ...limits, nowMs: () => nowMs, log: silentLog });
    const line = 'x'.repeat(600 * 1024);
    for (let i = 0; i < 5; i++) {
      nowMs += 1000;
      file.add(line);
      const size = (i + 1) * (line.length + 1);
      await until('it written', async () => {
        const files = readdirSync(dir).map((name) => readFileSync(join(dir, name)).length);
        return i > 2 || files.reduce((sum, bytes) => sum + bytes, 0) >= size;
      });
    }
    await file.close();
    assert.equal(file.lost, 0);
    const backups = readdirSync(dir).filter((name) => name !== 'audit.log');
    assert.equal(backups.length, 2);
    assert.match(backups[0]!, /^audit-2026-01-31T00-00-0\d\.000\.log$/);
    const reopened = new LogFile({ path, ...limits, nowMs: () => nowMs, log: silentLog });
    reopened.add('more');
    await reopened.close();
    assert.match(readFileSync(path, 'utf8'), /more\n$/);
  }));

test('who writes faster than the disk takes it waits', () =>
  inFolder(async (dir) => {
    const path = join(dir, 'audit.log');
    const file = new LogFile({
      path,
      maxSizeMegabytes: 0,
      maxBackups: 0,
      maxAgeDays: 0,
      nowMs: Date.now,
      log: silentLog,
    });
    const line = 'x'.repeat(pendingCharactersMax / 4);
    const waits = Array.from({ length: 5 }, () => file.add(line));
    assert.deepEqual(
      waits.map((wait) => wait !== undefined),
      [false, false, false, true, true],
    );
    await waits.at(-1);
    assert.equal(readFileSync(path, 'utf8').length, 5 * (line.length + 1));
    await file.close();
  }));
