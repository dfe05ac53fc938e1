import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EndpointSlice } from '../../api/kinds/endpointSlice.ts';
import type { Node } from '../../api/kinds/node.ts';
import type { Pod } from '../../api/kinds/pod.ts';
import type { Service, ServiceSpec } from '../../api/kinds/service.ts';
import { plan, serviceAccountsAnnotation, sliceEndpointsMax } from './plan.ts';
import { TriggerTimes, triggerTimeAnnotation, withTriggerTime } from './trigger-times.ts';

function service(spec: Partial<ServiceSpec> = {}): Service {
  return {
    metadata: { name: 'web', namespace: 'default', uid: 'svc' },
    spec: { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080 }], ...spec },
  };
}

function pod(
  n: number,
  options: { ready?: boolean; ending?: boolean; ip?: boolean; httpPort?: number; account?: string } = {},
): Pod {
  const { ready = true, ending = false, ip = true, httpPort, account = 'default' } = options;
  const name = `web-${String(n).padStart(3, '0')}`;
  const ports = httpPort === undefined ? [] : [{ name: 'http', containerPort: httpPort }];
  return {
    metadata: {
      name,
      namespace: 'default',
      uid: name,
      ...(ending && { deletionTimestamp: '2026-01-01T00:00:00Z' }),
    },
    spec: { nodeName: 'n1', serviceAccountName: account, containers: [{ name: 'web', ports }] },
    status: {
      phase: 'Running',
      ...(ip && { podIP: `10.42.${n >> 8}.${n & 255}` }),
      conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }],
    },
  };
}

const node: Node = { metadata: { name: 'n1', labels: { 'topology.kubernetes.io/zone': 'edge-a' } } };
const nodeOf = (name: string) => (name === 'n1' ? node : undefined);
const many = (count: number, from = 0) => Array.from({ length: count }, (_, index) => pod(from + index));
const stored = (slices: EndpointSlice[]) =>
  slices.map((slice, index) => ({ ...slice, metadata: { ...slice.metadata, name: `web-${index}` } }));

test('an endpoint tells readiness, node, zone and pod; the slice tells the service accounts', () => {
  const { create } = plan({
    service: service(),
    pods: [
      pod(1, { account: 'b' }),
      pod(2, { ready: false, account: 'a' }),
      pod(3, { ending: true }),
      pod(4, { ip: false }),
    ],
    nodeOf,
    slices: [],
  });
  assert.equal(create.length, 1);
  const [slice] = create;
  assert.deepEqual(slice?.endpoints[0], {
    addresses: ['10.42.0.1'],
    conditions: { ready: true, serving: true, terminating: false },
    nodeName: 'n1',
    targetRef: { kind: 'Pod', namespace: 'default', name: 'web-001', uid: 'web-001' },
    zone: 'edge-a',
  });
  assert.deepEqual(
    slice?.endpoints.map(({ conditions }) => conditions),
    [
      { ready: true, serving: true, terminating: false },
      { ready: false, serving: false, terminating: false },
      { ready: false, serving: true, terminating: true },
    ],
  );
  assert.deepEqual(slice?.ports, [{ name: '', port: 8080, protocol: 'TCP' }]);
  assert.equal(slice?.metadata?.annotations?.[serviceAccountsAnnotation], 'a,b,default');
  assert.equal(slice?.metadata?.labels?.['kubernetes.io/service-name'], 'web');
});

test('publishNotReadyAddresses makes every endpoint ready', () => {
  const pods = [pod(1, { ready: false }), pod(2, { ending: true })];
  const { create } = plan({ service: service({ publishNotReadyAddresses: true }), pods, nodeOf, slices: [] });
  assert.ok(create[0]?.endpoints.every(({ conditions }) => conditions?.ready));
});

test('a named port is looked up in each pod, and pods with other numbers get another slice', () => {
  const named = service({ ports: [{ name: 'http', port: 80, targetPort: 'http' }] });
  const pods = [pod(1, { httpPort: 8080 }), pod(2, { httpPort: 9090 }), pod(3, { httpPort: 8080 })];
  const { create } = plan({ service: named, pods, nodeOf, slices: [] });
  const ports = create.map((slice) => [slice.ports?.[0]?.port, slice.endpoints.length]);
  assert.deepEqual(ports, [
    [8080, 2],
    [9090, 1],
  ]);
});

test('slices hold at most a hundred endpoints', () => {
  const { create } = plan({ service: service(), pods: many(250), nodeOf, slices: [] });
  assert.deepEqual(
    create.map(({ endpoints }) => endpoints.length),
    [sliceEndpointsMax, sliceEndpointsMax, 50],
  );
});

test('one changed pod of many writes one slice, and nothing changed writes nothing', () => {
  const pods = many(250);
  const slices = stored(plan({ service: service(), pods, nodeOf, slices: [] }).create);
  assert.deepEqual(plan({ service: service(), pods, nodeOf, slices }), {
    create: [],
    update: [],
    delete: [],
  });
  const changed = pods.map((each, index) => (index === 120 ? pod(120, { ready: false }) : each));
  const once = plan({ service: service(), pods: changed, nodeOf, slices });
  assert.deepEqual(
    once.update.map(({ metadata }) => metadata?.name),
    ['web-1'],
  );
  assert.deepEqual([once.create.length, once.delete.length], [0, 0]);
  const replaced = plan({ service: service(), pods: [...many(249), pod(900)], nodeOf, slices });
  assert.deepEqual(
    replaced.update.map(({ metadata, endpoints }) => [metadata?.name, endpoints.length]),
    [['web-2', 50]],
  );
});

test('a Service that loses its last pod keeps one empty slice, and fills it again', () => {
  const slices = stored(plan({ service: service(), pods: many(150), nodeOf, slices: [] }).create);
  const emptied = plan({ service: service(), pods: [], nodeOf, slices });
  assert.deepEqual(
    emptied.update.map(({ endpoints }) => endpoints.length),
    [0],
  );
  assert.equal(emptied.delete.length, 1);
  const refilled = plan({ service: service(), pods: many(3), nodeOf, slices: emptied.update });
  assert.deepEqual(
    [refilled.update[0]?.endpoints.length, refilled.create.length, refilled.delete.length],
    [3, 0, 0],
  );
});

test('a changed target port moves all endpoints', () => {
  const slices = stored(plan({ service: service(), pods: many(2), nodeOf, slices: [] }).create);
  const moved = plan({
    service: service({ ports: [{ port: 80, targetPort: 9000 }] }),
    pods: many(2),
    nodeOf,
    slices,
  });
  assert.deepEqual([moved.create.length, moved.delete.length], [0, 0]);
  const [slice] = moved.update;
  assert.deepEqual(
    [slice?.metadata?.name, slice?.ports?.[0]?.port, slice?.endpoints.length],
    ['web-0', 9000, 2],
  );
});

test('a Service without pods has an empty slice, which its first pod takes', () => {
  const none = plan({ service: service(), pods: [], nodeOf, slices: [] });
  assert.deepEqual(
    none.create.map(({ endpoints, ports }) => [endpoints, ports]),
    [[[], []]],
  );
  const slices = stored(none.create);
  const idle = plan({ service: service(), pods: [], nodeOf, slices });
  assert.deepEqual([idle.create, idle.update, idle.delete], [[], [], []]);
  const first = plan({ service: service(), pods: many(1), nodeOf, slices });
  assert.deepEqual([first.create.length, first.update.length, first.delete.length], [0, 1, 0]);
});

test('new endpoints go into slices that are written anyway, else into the one that they fill best', () => {
  const slices = stored(plan({ service: service(), pods: many(250), nodeOf, slices: [] }).create);
  const few = [...many(40), ...many(150, 100)];
  const [first, second, third] = stored(plan({ service: service(), pods: few, nodeOf, slices }).update);
  assert.deepEqual([first?.endpoints.length, second, third], [40, undefined, undefined]);
  const apart = [{ ...slices[0]!, endpoints: first!.endpoints }, slices[1]!, slices[2]!];
  const sizes = (pods: Pod[]) => {
    const { create, update } = plan({ service: service(), pods, nodeOf, slices: apart });
    return [update, create].map((list) =>
      list.map(({ metadata, endpoints }) => [metadata?.name, endpoints.length]),
    );
  };
  // Of the slices with 40 and 50 the fuller takes five; it cannot take 55, which 40 can.
  assert.deepEqual(sizes([...few, ...many(5, 900)]), [[['web-2', 55]], []]);
  assert.deepEqual(sizes([...few, ...many(55, 900)]), [[['web-0', 95]], []]);
  // What fits into none makes a new slice, although there is room for a part of it.
  assert.deepEqual(sizes([...few, ...many(70, 900)]), [[], [[undefined, 70]]]);
  const changed = few.map((each) => (each.metadata?.name === 'web-003' ? pod(3, { ready: false }) : each));
  assert.deepEqual(sizes([...changed, ...many(5, 900)]), [[['web-0', 45]], []]);
});

test('a pod of a node that is not there is left out, unless all are to be told', () => {
  const lost = { ...pod(1), spec: { ...pod(1).spec!, nodeName: 'gone' } };
  const endpoints = (spec: Partial<ServiceSpec>) =>
    plan({ service: service(spec), pods: [lost, pod(2)], nodeOf, slices: [] }).create[0]?.endpoints.length;
  assert.equal(endpoints({}), 1);
  assert.equal(endpoints({ publishNotReadyAddresses: true }), 2);
});

test('who prefers what is close finds the zone that each ready endpoint is for', () => {
  const close = service({ trafficDistribution: 'PreferClose' });
  const pods = [pod(1), pod(2, { ready: false })];
  const { create } = plan({ service: close, pods, nodeOf, slices: [] });
  assert.deepEqual(
    create[0]?.endpoints.map(({ hints }) => hints),
    [{ forZones: [{ name: 'edge-a' }] }, undefined],
  );
  const { update } = plan({ service: service(), pods, nodeOf, slices: stored(create) });
  assert.ok(update[0]?.endpoints.every(({ hints }) => hints === undefined));
});

test('the time of the change that a slice tells is the first that came since the last one', () => {
  const times = new TriggerTimes();
  const at = (minute: number) => `2026-01-01T00:0${minute}:00Z`;
  const web: Service = { metadata: { name: 'web', creationTimestamp: at(1) } };
  const ready = (n: number, minute: number): Pod => ({
    ...pod(n),
    status: { conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: at(minute) }] },
  });
  assert.equal(times.next('a', web, [ready(1, 2)]), at(1));
  assert.equal(times.next('a', web, [ready(1, 2)]), undefined);
  assert.equal(times.next('a', web, [ready(1, 5), ready(2, 4)]), at(4));
  assert.deepEqual(withTriggerTime({ [triggerTimeAnnotation]: at(1), a: 'b' }, undefined), { a: 'b' });
});

test('a slice says how to reach its nodes, as they are now', () => {
  const at = (address?: string) => (name: string) => ({
    metadata: { name, ...(address && { annotations: { 'selvage.dev/mesh-address': address } }) },
  });
  const told = ({ create, update }: ReturnType<typeof plan>) =>
    [...create, ...update].map(({ metadata }) => metadata?.annotations?.['selvage.dev/mesh-addresses']);
  const state = { service: service(), pods: many(3) };
  const first = plan({ ...state, nodeOf: at(), slices: [] });
  assert.deepEqual(told(first), [undefined]);
  const slices = stored(first.create);
  const opened = plan({ ...state, nodeOf: at('10.0.0.1:7000'), slices });
  assert.deepEqual(told(opened), ['n1=10.0.0.1:7000']);
  const same = plan({ ...state, nodeOf: at('10.0.0.1:7000'), slices: opened.update });
  assert.deepEqual(told(same), []);
  assert.deepEqual(told(plan({ ...state, nodeOf: at(), slices: opened.update })), [undefined]);
});
