import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { until } from '../../base/until.ts';
import type { Transport } from '../../client/transport.ts';
import { mergePatch, openWatch, send, take } from '../test-request.ts';
import { startTestServer, type TestServer } from '../test-server.ts';
import { cronTab, cronTabDefinition } from './test-definition.ts';

let dir: string;
let running: TestServer;
let transport: Transport;

async function start(): Promise<void> {
  running = await startTestServer({ listens: false, path: join(dir, 'state.sqlite') });
  transport = running.server.transport();
}
before(async () => {
  dir = mkdtempSync(join(tmpdir(), 'selvage-crd-'));
  await start();
});
after(async () => {
  await running.close();
  rmSync(dir, { recursive: true, force: true });
});

const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const name = 'crontabs.stable.example.com';
const path = '/apis/stable.example.com/v1/namespaces/default/crontabs';

async function define(options: Parameters<typeof cronTabDefinition>[0] = {}): Promise<void> {
  const made = await send(transport, `POST ${definitions}`, { body: cronTabDefinition(options) });
  assert.equal(made.code, 201, JSON.stringify(made.object));
  await until('it is served', async () => (await send(transport, `GET ${path}`)).code === 200);
}

async function undefine(): Promise<void> {
  await send(transport, `DELETE ${definitions}/${name}`);
  await until('it is gone', async () => (await send(transport, `GET ${definitions}/${name}`)).code === 404);
}

interface Condition {
  type: string;
  status: string;
  reason: string;
  message: string;
}

async function conditionOf(of: string, type: string): Promise<Condition | undefined> {
  const { object } = await send(transport, `GET ${definitions}/${of}`);
  return object.status?.conditions?.find((condition: Condition) => condition.type === type);
}

test('kinds and objects are there again after a restart', async () => {
  await define();
  await send(transport, `POST ${path}`, { body: cronTab('kept') });
  await running.close();
  await start();
  // At once: nobody has to wait for a controller.
  const { code, object } = await send(transport, `GET ${path}/kept`);
  assert.equal(code, 200);
  assert.equal(object.spec.replicas, 1);
  await undefine();
});

test('what was stored before a default or without a field is shown by the schema of today', async () => {
  await define();
  await send(transport, `POST ${path}`, { body: cronTab('old', { image: 'a' }) });
  const object = structuredClone((await send(transport, `GET ${definitions}/${name}`)).object);
  const { properties } = object.spec.versions[0].schema.openAPIV3Schema.properties.spec;
  delete properties.image;
  properties.suspend = { type: 'boolean', default: false };
  const { code } = await send(transport, `PUT ${definitions}/${name}`, { body: object });
  assert.equal(code, 200);
  await until('the new schema holds', async () => {
    const read = await send(transport, `GET ${path}/old`);
    return read.object.spec.suspend === false && read.object.spec.image === undefined;
  });
  assert.equal(
    (await mergePatch(transport, `${path}/old`, { spec: { replicas: 2 } })).object.metadata!.generation,
    2,
  );
  await undefine();
});

test('without a status of its own, an object counts every change beside its metadata', async () => {
  await define();
  await send(transport, `POST ${path}`, { body: { ...cronTab('one'), status: { replicas: 1 } } });
  const changed = await mergePatch(transport, `${path}/one`, { status: { replicas: 2 } });
  assert.deepEqual([changed.object.status, changed.object.metadata!.generation], [{ replicas: 2 }, 2]);
  assert.equal((await send(transport, `GET ${path}/one/status`)).code, 404);
  await undefine();
  await define({ version: { subresources: { status: {} } } });
  const made = await send(transport, `POST ${path}`, {
    body: { ...cronTab('one'), status: { replicas: 1 } },
  });
  assert.equal(made.object.status, undefined);
  const reported = await mergePatch(transport, `${path}/one/status`, {
    status: { replicas: 2 },
    spec: { replicas: 9 },
  });
  assert.deepEqual(
    [reported.object.status, reported.object.spec.replicas, reported.object.metadata!.generation],
    [{ replicas: 2 }, 1, 1],
  );
  await undefine();
});

test('a name that is taken is refused until it is free', async () => {
  await define();
  const other = cronTabDefinition({
    spec: { names: { plural: 'others', kind: 'CronTab', shortNames: ['ct'] } },
  });
  other.metadata = { name: 'others.stable.example.com' };
  await send(transport, `POST ${definitions}`, { body: other });
  const refused = await until('it is refused', async () => {
    const condition = await conditionOf('others.stable.example.com', 'NamesAccepted');
    return condition?.status === 'False' && condition;
  });
  assert.deepEqual(
    [refused.reason, refused.message],
    ['ListKindConflict', '"CronTabList" is already in use'],
  );
  assert.equal((await conditionOf('others.stable.example.com', 'Established'))?.reason, 'NotAccepted');
  assert.equal((await send(transport, 'GET /apis/stable.example.com/v1/others')).code, 404);
  await undefine();
  await until(
    'it is served',
    async () => (await send(transport, 'GET /apis/stable.example.com/v1/others')).code === 200,
  );
  await send(transport, `DELETE ${definitions}/others.stable.example.com`);
});

test('a definition waits, terminating, for the finalizers of its objects, and lets nobody make new ones', async () => {
  await define();
  const held = cronTab('held');
  held.metadata!.finalizers = ['example.com/hold'];
  await send(transport, `POST ${path}`, { body: held });
  const stop = new AbortController();
  const events = await openWatch(transport, `GET ${path}?watch=true`, { signal: stop.signal });
  assert.deepEqual(await take(events, 1), ['ADDED held']);
  const deleted = await send(transport, `DELETE ${definitions}/${name}`);
  assert.deepEqual(deleted.object.metadata!.finalizers, ['customresourcecleanup.apiextensions.k8s.io']);
  await until('it is being emptied', async () => {
    return (await conditionOf(name, 'Terminating'))?.reason === 'InstanceDeletionInProgress';
  });
  const refused = await until('it takes no new ones', async () => {
    const answer = await send(transport, `POST ${path}`, { body: cronTab('late') });
    return answer.code === 405 && answer;
  });
  assert.equal(refused.object.message, 'create not allowed while custom resource definition is terminating');
  await until('its object is being deleted', async () => {
    return (await send(transport, `GET ${path}/held`)).object.metadata?.deletionTimestamp;
  });
  await mergePatch(transport, `${path}/held`, { metadata: { finalizers: null } });
  await until('it is gone', async () => (await send(transport, `GET ${definitions}/${name}`)).code === 404);
  assert.equal((await send(transport, `GET ${path}`)).code, 404);
  assert.deepEqual(await take(events, 3), ['MODIFIED held', 'DELETED held'], 'and the watch has ended');
  stop.abort();
});

test('discovery and OpenAPI change with the definitions', async () => {
  const groups = async () => {
    const { object } = await send(transport, 'GET /apis');
    return object.groups.map((group: { name: string }) => group.name) as string[];
  };
  assert.ok(!(await groups()).includes('stable.example.com'));
  await define({
    version: {
      subresources: { scale: { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas' } },
    },
  });
  assert.ok((await groups()).includes('stable.example.com'));
  const { object: list } = await send(transport, 'GET /apis/stable.example.com/v1');
  assert.deepEqual(
    list.resources.map((one: { name: string; kind: string }) => [one.name, one.kind]),
    [
      ['crontabs', 'CronTab'],
      ['crontabs/scale', 'Scale'],
    ],
  );
  const { object: index } = await send(transport, 'GET /openapi/v3');
  assert.match(index.paths['apis/stable.example.com/v1'].serverRelativeURL, /\?hash=[0-9A-F]{64}$/);
  const { object: metadata } = await send(transport, `GET ${path}`, {
    headers: { accept: 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1' },
  });
  assert.equal(metadata.kind, 'PartialObjectMetadataList');
  await undefine();
  assert.ok(!(await groups()).includes('stable.example.com'));
});

test('an object that names no kind, or another one, is refused', async () => {
  await define();
  const { kind: _, ...nameless } = cronTab('x');
  const missing = await send(transport, `POST ${path}`, { body: nameless });
  assert.equal(missing.code, 400);
  assert.match(String(missing.object.message), /^Object 'Kind' is missing in '\{/);
  const other = await send(transport, `POST ${path}`, { body: { ...cronTab('x'), kind: 'Other' } });
  assert.equal(
    other.object.message,
    'the kind in the data (Other) does not match the expected kind (CronTab)',
  );
  const odd = await send(transport, `POST ${path}`, {
    body: { ...cronTab('x'), metadata: { name: 'x', labels: { a: 1 } } },
  });
  assert.equal(odd.code, 400);
  assert.match(String(odd.object.message), /cannot unmarshal number into Go struct field/);
  await undefine();
});
