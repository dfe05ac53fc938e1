import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openWatch, send, take } from './test-request.ts';
import { startTestServer, type TestServer } from './test-server.ts';

let server: TestServer;
before(async () => {
  server = await startTestServer({ listens: false });
});
after(() => server.close());

const core = '/api/v1/namespaces/default/events';
const own = '/apis/events.k8s.io/v1/namespaces/default/events';
const regarding = { kind: 'Pod', namespace: 'default', name: 'web', uid: 'u-1' };

const newer = (name: string, more: object = {}) => ({
  apiVersion: 'events.k8s.io/v1',
  kind: 'Event',
  metadata: { name },
  eventTime: '2026-01-02T03:04:05.000006Z',
  reportingController: 'example.com/controller',
  reportingInstance: 'controller-1',
  action: 'Binding',
  reason: 'Scheduled',
  type: 'Normal',
  note: 'assigned',
  regarding,
  ...more,
});

test('an object that is made in one version is read, listed and deleted in the other', async () => {
  const transport = server.server.transport();
  const made = await send(transport, `POST ${own}`, { body: newer('both') });
  assert.equal(made.code, 201, JSON.stringify(made.object));
  assert.equal(made.object.note, 'assigned');
  assert.equal(made.object.message, undefined);

  const { object: seen } = await send(transport, `GET ${core}/both`);
  assert.deepEqual(
    [seen.apiVersion, seen.message, seen.involvedObject, seen.reportingComponent, seen.note, seen.regarding],
    ['v1', 'assigned', regarding, 'example.com/controller', undefined, undefined],
  );
  const listed = await send(transport, `GET ${core}?fieldSelector=involvedObject.name=web`);
  assert.deepEqual(
    listed.object.items?.map(({ metadata }) => metadata?.name),
    ['both'],
  );
  const inOwn = await send(transport, `GET ${own}?fieldSelector=regarding.name=web`);
  assert.equal(inOwn.object.kind, 'EventList');
  assert.equal(inOwn.object.apiVersion, 'events.k8s.io/v1');
  assert.equal((inOwn.object.items?.[0] as { note?: string }).note, 'assigned');
  const refused = await send(transport, `GET ${own}?fieldSelector=involvedObject.name=web`);
  assert.equal(refused.code, 400);

  assert.equal((await send(transport, `DELETE ${core}/both`)).code, 200);
  assert.equal((await send(transport, `GET ${own}/both`)).code, 404);
});

test('a watch sees what is written in the other version, in its own', async () => {
  const transport = server.server.transport();
  const { object: list } = await send(transport, `GET ${own}`);
  const stop = new AbortController();
  const at = `watch=1&resourceVersion=${list.metadata?.resourceVersion}`;
  const options = { signal: stop.signal };
  const events = await openWatch(transport, `GET ${own}?${at}&fieldSelector=reason=Pulled`, options);
  const older = {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: 'older' },
    involvedObject: regarding,
    reason: 'Pulled',
    message: 'pulled it',
    count: 3,
    source: { component: 'kubelet', host: 'n1' },
  };
  assert.equal((await send(transport, `POST ${core}`, { body: older })).code, 201);
  const { value } = await events.next();
  assert.equal(value.type, 'ADDED');
  assert.deepEqual(
    [value.object.apiVersion, value.object.note, value.object.deprecatedCount, value.object.deprecatedSource],
    ['events.k8s.io/v1', 'pulled it', 3, { component: 'kubelet', host: 'n1' }],
  );
  await send(transport, `PATCH ${core}/older`, {
    body: { reason: 'Failed' },
    headers: { 'content-type': 'application/merge-patch+json' },
  });
  assert.deepEqual(await take(events, 1), ['DELETED older']);
  stop.abort();
  assert.equal((await events.next()).done, true);
});

test('each version keeps its own rules', async () => {
  const transport = server.server.transport();
  const loose = { apiVersion: 'v1', kind: 'Event', metadata: { name: 'loose' }, involvedObject: regarding };
  assert.equal((await send(transport, `POST ${core}`, { body: loose })).code, 201);

  const bare = {
    ...newer('strict', { type: 'Odd', deprecatedCount: 2, deprecatedSource: { component: 'x' } }),
    eventTime: undefined,
  };
  const refused = await send(transport, `POST ${own}`, { body: bare });
  assert.deepEqual(refused.object.details.causes, [
    { reason: 'FieldValueRequired', message: 'Required value', field: 'eventTime' },
    {
      reason: 'FieldValueInvalid',
      message: 'Invalid value: "": has invalid value: Odd',
      field: 'type',
    },
    { reason: 'FieldValueInvalid', message: 'Invalid value: "": needs to be unset', field: 'count' },
    { reason: 'FieldValueInvalid', message: 'Invalid value: "": needs to be unset', field: 'source' },
  ]);

  await send(transport, `POST ${own}`, { body: newer('fixed') });
  const headers = { 'content-type': 'application/merge-patch+json' };
  const series = { count: 1, lastObservedTime: '2026-01-02T03:04:06.000000Z' };
  const once = await send(transport, `PATCH ${own}/fixed`, { body: { series }, headers });
  assert.match(once.object.message, /series.count: Invalid value: "": should be at least 2/);
  const again = await send(transport, `PATCH ${own}/fixed`, {
    body: { series: { ...series, count: 2 } },
    headers,
  });
  assert.equal(again.code, 200);
  assert.equal((await send(transport, `GET ${core}/fixed`)).object.series.count, 2);
  const other = await send(transport, `PATCH ${own}/fixed`, { body: { note: 'else' }, headers });
  assert.match(other.object.message, /message: Invalid value: "else": field is immutable/);
  const through = await send(transport, `PATCH ${core}/fixed`, { body: { message: 'else' }, headers });
  assert.equal(through.code, 200);
  assert.equal((await send(transport, `GET ${own}/fixed`)).object.note, 'else');
});

test('columns are those of the stored kind, and a patch names the fields of the version that it is sent to', async () => {
  const transport = server.server.transport();
  await send(transport, `POST ${own}`, { body: newer('shown') });
  const headers = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' };
  const [first, second] = await Promise.all([
    send(transport, `GET ${core}/shown`, { headers }),
    send(transport, `GET ${own}/shown`, { headers }),
  ]);
  assert.deepEqual(second.object.columnDefinitions, first.object.columnDefinitions);
  assert.deepEqual(second.object.rows[0].cells.slice(1), first.object.rows[0].cells.slice(1));
});

test('who owns a field in one version loses it, or is in conflict, when it changes in the other', async () => {
  const transport = server.server.transport();
  const apply = { 'content-type': 'application/apply-patch+yaml' };
  const path = `${own}/owned`;
  const config = newer('owned');
  const first = await send(transport, `PATCH ${path}?fieldManager=a`, { body: config, headers: apply });
  assert.equal(first.code, 201, JSON.stringify(first.object));
  const merge = { 'content-type': 'application/merge-patch+json' };
  await send(transport, `PATCH ${core}/owned?fieldManager=b`, { body: { message: 'else' }, headers: merge });
  const { object: seen } = await send(transport, `GET ${path}`);
  const fields = Object.fromEntries(
    seen.metadata!.managedFields!.map((entry) => {
      const { manager, apiVersion, fieldsV1 } = entry as {
        manager: string;
        apiVersion: string;
        fieldsV1: object;
      };
      return [`${manager} ${apiVersion}`, Object.keys(fieldsV1)];
    }),
  );
  assert.deepEqual(fields['b v1'], ['f:message']);
  assert.equal(fields['a events.k8s.io/v1']?.includes('f:note'), false);
  assert.equal(fields['a events.k8s.io/v1']?.includes('f:reason'), true);

  const again = await send(transport, `PATCH ${path}?fieldManager=a`, { body: config, headers: apply });
  assert.equal(again.code, 409);
  assert.match(again.object.message, /conflict with "b" using v1: \.message/);
  const without = { ...config, note: undefined };
  const left = await send(transport, `PATCH ${path}?fieldManager=a`, { body: without, headers: apply });
  assert.equal(left.code, 200, JSON.stringify(left.object));
  assert.equal(left.object.note, 'else');
});

test('an autoscaler keeps in annotations what its first version has no fields for', async () => {
  const transport = server.server.transport();
  const [first, second] = ['v1', 'v2'].map(
    (version) => `/apis/autoscaling/${version}/namespaces/default/horizontalpodautoscalers`,
  );
  const scaleTargetRef = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' };
  const kind = 'HorizontalPodAutoscaler';
  const old = {
    apiVersion: 'autoscaling/v1',
    kind,
    metadata: { name: 'old' },
    spec: { scaleTargetRef, maxReplicas: 5, targetCPUUtilizationPercentage: 60 },
  };
  const made = await send(transport, `POST ${first}`, { body: old });
  assert.equal(made.code, 201, JSON.stringify(made.object));
  const { object: asNew } = await send(transport, `GET ${second}/old`);
  assert.deepEqual(asNew.spec.metrics, [
    { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 60 } } },
  ]);
  assert.equal(asNew.spec.minReplicas, 1);

  const metrics = [
    {
      type: 'Pods',
      pods: { metric: { name: 'queue' }, target: { type: 'AverageValue', averageValue: '10' } },
    },
    { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } } },
  ];
  const behavior = {
    scaleDown: {
      stabilizationWindowSeconds: 60,
      selectPolicy: 'Max',
      policies: [{ type: 'Pods', value: 1, periodSeconds: 60 }],
    },
  };
  const body = {
    apiVersion: 'autoscaling/v2',
    kind,
    metadata: { name: 'new' },
    spec: { scaleTargetRef, maxReplicas: 5, metrics, behavior },
  };
  assert.equal((await send(transport, `POST ${second}`, { body })).code, 201);
  const { object: before } = await send(transport, `GET ${second}/new`);
  const { object: asOld } = await send(transport, `GET ${first}/new`);
  assert.equal(asOld.spec.targetCPUUtilizationPercentage, 50);
  assert.deepEqual(JSON.parse(asOld.metadata!.annotations!['autoscaling.alpha.kubernetes.io/metrics']!), [
    { type: 'Pods', pods: { metricName: 'queue', targetAverageValue: '10' } },
  ]);
  const larger = { ...asOld, spec: { ...asOld.spec, maxReplicas: 7 } };
  const put = await send(transport, `PUT ${first}/new`, { body: larger });
  assert.equal(put.code, 200, JSON.stringify(put.object));
  const { object: after } = await send(transport, `GET ${second}/new`);
  assert.deepEqual(after.spec, { ...before.spec, maxReplicas: 7 });
  assert.equal(after.metadata!.annotations, undefined);

  const wrong = {
    ...old,
    metadata: { name: 'wrong' },
    spec: { ...old.spec, maxReplicas: 1, minReplicas: 2 },
  };
  const refused = await send(transport, `POST ${first}`, { body: wrong });
  assert.match(
    refused.object.message,
    /spec.maxReplicas: Invalid value: 1: must be greater than or equal to `minReplicas`/,
  );
});
