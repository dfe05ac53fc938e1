import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { KindDefinition } from '../api/kind.ts';
import { kinds } from '../api/kinds/index.ts';
import { apiVersionOf, pathOf } from '../api/object.ts';
import { mergePatch } from '../api/patch/merge-patch.ts';
import { coreExamples } from './examples/core.ts';
import type { Example } from './examples/example.ts';
import { learningExamples } from './examples/learning.ts';
import { networkingExamples } from './examples/networking.ts';
import { storageExamples } from './examples/storage.ts';
import { workloadExamples } from './examples/workloads.ts';
import { openWatch, send, mergePatch as sendMergePatch, take } from './test-request.ts';
import { startTestServer, type TestServer } from './test-server.ts';

const examples = [
  ...coreExamples,
  ...learningExamples,
  ...networkingExamples,
  ...storageExamples,
  ...workloadExamples,
];

/** Kinds whose own tests, elsewhere, do what is done here. */
const testedElsewhere = new Set([
  'Binding',
  'CertificateSigningRequest',
  'ComponentStatus',
  'CustomResourceDefinition',
  'FlowSchema',
  'HorizontalPodAutoscaler',
  'InferenceService',
  'LimitRange',
  'MutatingWebhookConfiguration',
  'Node',
  'PersistentVolume',
  'PersistentVolumeClaim',
  'PriorityClass',
  'PriorityLevelConfiguration',
  'ResourceQuota',
  'StorageClass',
  'ValidatingAdmissionPolicy',
  'ValidatingAdmissionPolicyBinding',
  'ValidatingWebhookConfiguration',
]);

let server: TestServer;
before(async () => {
  server = await startTestServer({ listens: false });
});
after(() => server.close());

function kindOf({ kind, apiVersion }: Example): KindDefinition {
  const [name] = kind.split('.');
  const found = kinds.find((one) => one.kind === name && apiVersionOf(one) === apiVersion);
  assert.ok(found, `${kind} is not served`);
  return found;
}

const applyType = { 'content-type': 'application/apply-patch+yaml' };

for (const example of examples) {
  const { kind: name, apiVersion, object, change, invalid } = example;
  const whole = { apiVersion, kind: name.split('.')[0]!, ...object } as Record<string, unknown>;

  test(`${name}: made, read, listed, watched, changed, applied and deleted`, async () => {
    const kind = kindOf(example);
    const transport = server.server.transport();
    const namespace = kind.namespaced ? 'default' : undefined;
    const collection = pathOf(kind, { namespace });
    const single = pathOf(kind, { namespace, name: (object.metadata as { name: string }).name });
    const { object: list } = await send(transport, `GET ${collection}`);
    const stop = new AbortController();
    const query = `watch=1&resourceVersion=${list.metadata!.resourceVersion}&fieldSelector=metadata.name=${single.split('/').at(-1)}`;
    const events = await openWatch(transport, `GET ${collection}?${query}`, { signal: stop.signal });

    const made = await send(transport, `POST ${collection}?fieldValidation=Strict`, { body: whole });
    assert.equal(made.code, 201, JSON.stringify(made.object));
    assertHolds(made.object, whole);
    const read = await send(transport, `GET ${single}`);
    assert.deepEqual(read.object, made.object);
    const put = await send(transport, `PUT ${single}`, { body: read.object });
    assert.equal(put.code, 200, JSON.stringify(put.object));
    const patched = await sendMergePatch(transport, single, change);
    assert.equal(patched.code, 200, JSON.stringify(patched.object));
    assertHolds(patched.object, change);
    assert.notEqual(patched.object.metadata!.resourceVersion, made.object.metadata!.resourceVersion);
    const applied = await send(transport, `PATCH ${single}?fieldManager=me&force=true`, {
      body: {
        apiVersion,
        kind: whole.kind,
        metadata: { name: made.object.metadata!.name, labels: { by: 'apply' } },
      },
      headers: applyType,
    });
    assert.equal(applied.code, 200, JSON.stringify(applied.object));
    assert.equal(applied.object.metadata!.labels!.by, 'apply');
    const listed = await send(transport, `GET ${collection}?labelSelector=by=apply`);
    assert.deepEqual(listed.object.items, [applied.object]);
    const gone = await send(transport, `DELETE ${single}?gracePeriodSeconds=0`);
    assert.equal(gone.code, 200);
    const seen = await take(events, kind.kind === 'Namespace' ? 3 : 4);
    const shown = made.object.metadata!.name;
    assert.deepEqual(seen.slice(0, 3), [`ADDED ${shown}`, `MODIFIED ${shown}`, `MODIFIED ${shown}`]);
    stop.abort();
    await events.next();
  });

  test(`${name}: what is wrong is refused with field and cause`, async () => {
    const kind = kindOf(example);
    assert.ok(invalid.length >= 2);
    const path = pathOf(kind, { namespace: kind.namespaced ? 'default' : undefined });
    for (const [wrong, causes] of invalid) {
      const body = mergePatch(whole, wrong);
      const answer = await send(server.server.transport(), `POST ${path}`, { body });
      const found = (answer.object.details?.causes ?? []).map(
        ({ field, message }: { field: string; message: string }) => `${field}: ${message}`,
      );
      const told = `${JSON.stringify(wrong)} was answered with ${answer.code} ${JSON.stringify(found, null, 1)}`;
      assert.equal(answer.code, 422, told);
      for (const cause of causes) {
        assert.ok(
          found.some((one: string) => one.startsWith(cause)),
          `${told}, without ${cause}`,
        );
      }
    }
  });
}

test('every kind that is served has an example here, or tests of its own', () => {
  const named = new Set(examples.map(({ kind, apiVersion }) => `${kind.split('.')[0]} ${apiVersion}`));
  const missing = kinds.filter(
    (kind) => !named.has(`${kind.kind} ${apiVersionOf(kind)}`) && !testedElsewhere.has(kind.kind),
  );
  assert.deepEqual(
    missing.map(({ kind }) => kind),
    [],
  );
});

/** That everything in `part` is in `object` too; null stands for what is absent. */
function assertHolds(object: unknown, part: unknown, at = ''): void {
  if (typeof part !== 'object' || part === null) {
    assert.deepEqual(object ?? null, part, at);
    return;
  }
  for (const [name, value] of Object.entries(part)) {
    assertHolds((object as Record<string, unknown> | undefined)?.[name], value, `${at}.${name}`);
  }
}
