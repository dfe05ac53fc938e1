import assert from 'node:assert/strict';
import { test } from 'node:test';
import { adviseUnreachable } from './advice.ts';
import { Balance, ejectionMs } from './balance.ts';
import { decide, findEndpoint, findRoute } from './decide.ts';
import type { Endpoint, Route, RouteTable } from './route-table.ts';

const endpoint = (ip: string, where: Partial<Endpoint> = {}): Endpoint => ({
  ip,
  port: 8080,
  node: 'a',
  zone: 'shop',
  isLocal: true,
  spiffeIds: [],
  ...where,
});
const route = (name: string, endpoints: Endpoint[], extra: Partial<Route> = {}): Route => ({
  namespace: 'default',
  name,
  clusterIPs: [],
  preferClose: false,
  localOnly: false,
  ports: [{ name: '', port: 80, endpoints }],
  ...extra,
});
const tableOf = (...routes: Route[]): RouteTable => ({
  version: '1',
  node: { name: 'a', zone: 'shop' },
  routes,
});
const request = (host: string, port = 80) => ({ host, port, namespace: 'default' });
const ips = (table: RouteTable, balance: Balance, times: number) =>
  Array.from({ length: times }, () => {
    const decision = decide(table, request('web'), balance);
    return decision.kind === 'endpoint' ? decision.endpoint.ip : decision.kind;
  });

test('a Service is found by every name that Kubernetes gives it', () => {
  const table = tableOf(route('web', [endpoint('10.42.0.2')], { clusterIPs: ['10.43.0.7'] }));
  for (const host of [
    'web',
    'WEB',
    'web.default',
    'web.default.svc',
    'web.default.svc.cluster.local',
    'web.default.svc.cluster.local.',
    '10.43.0.7',
  ]) {
    assert.equal(findRoute(table, host, 'default')?.name, 'web', host);
  }
  for (const host of [
    'web.other',
    'web.default.com',
    'web.default.svc.example',
    'example.com',
    '10.43.0.8',
  ]) {
    assert.equal(findRoute(table, host, 'default'), undefined, host);
  }
  assert.equal(findRoute(table, 'web', 'other'), undefined, 'short names are of the own namespace');
});

test('requests go round over the endpoints', () => {
  const table = tableOf(route('web', [endpoint('1'), endpoint('2'), endpoint('3')]));
  assert.deepEqual(ips(table, new Balance(), 6), ['1', '2', '3', '1', '2', '3']);
});

test('an endpoint with fewer requests in flight is preferred', () => {
  const [one, two] = [endpoint('1'), endpoint('2')];
  const table = tableOf(route('web', [one, two]));
  const balance = new Balance({ random: () => 0 });
  balance.started(one);
  assert.deepEqual(ips(table, balance, 3), ['2', '2', '2']);
  balance.finished(one);
  assert.deepEqual(new Set(ips(table, balance, 4)), new Set(['1', '2']));
});

test('near endpoints come first: node, then zone, then anywhere', () => {
  const local = endpoint('1');
  const sameZone = endpoint('2', { node: 'b', isLocal: false });
  const far = endpoint('3', { node: 'c', zone: 'cloud', isLocal: false });
  const near = (...endpoints: Endpoint[]) =>
    ips(tableOf(route('web', endpoints, { preferClose: true })), new Balance(), 2);
  assert.deepEqual(near(far, sameZone, local), ['1', '1']);
  assert.deepEqual(near(far, sameZone), ['2', '2']);
  assert.deepEqual(near(far), ['3', '3']);
});

test('an internalTrafficPolicy of Local keeps to the node', () => {
  const far = endpoint('3', { node: 'c', isLocal: false });
  const table = tableOf(route('web', [far], { localOnly: true }));
  assert.equal(decide(table, request('web'), new Balance()).kind, 'refused');
});

test('an endpoint that failed is left alone for some seconds, unless all failed', () => {
  let nowMs = 0;
  const [one, two] = [endpoint('1'), endpoint('2')];
  const table = tableOf(route('web', [one, two]));
  const balance = new Balance({ nowMs: () => nowMs });
  balance.eject(one);
  assert.deepEqual(ips(table, balance, 3), ['2', '2', '2']);
  balance.eject(two);
  assert.deepEqual(new Set(ips(table, balance, 4)), new Set(['1', '2']));
  nowMs = ejectionMs;
  assert.deepEqual(new Set(ips(table, balance, 4)), new Set(['1', '2']));
  assert.equal(balance.hasEjected, false);
});

test('an ejected near endpoint gives way to a far one', () => {
  const local = endpoint('1');
  const far = endpoint('3', { node: 'c', zone: 'cloud', isLocal: false });
  const balance = new Balance();
  balance.eject(local);
  assert.deepEqual(ips(tableOf(route('web', [local, far], { preferClose: true })), balance, 2), ['3', '3']);
});

test('endpoints that were tried are not tried again', () => {
  const table = tableOf(route('web', [endpoint('1'), endpoint('2')]));
  const second = decide(table, request('web'), new Balance(), new Set(['1:8080']));
  assert.equal(second.kind === 'endpoint' && second.endpoint.ip, '2');
  const none = decide(table, request('web'), new Balance(), new Set(['1:8080', '2:8080']));
  assert.deepEqual(none, {
    kind: 'refused',
    reason: 'Service "web" in namespace "default" has no other ready endpoint after 2 failed',
  });
});

const shares = (percent: number) => [
  { service: 'web', percent: 100 - percent },
  { service: 'new', percent },
];
const shared = (percent: number, endpoints: { web?: Endpoint[]; next?: Endpoint[] } = {}) => {
  const { web = [endpoint('10.42.0.2')], next = [endpoint('10.42.0.3')] } = endpoints;
  return tableOf(route('web', web, { split: shares(percent) }), route('new', next));
};

test('requests fall into their Service’s shares, as they are drawn', () => {
  let drawn = 0;
  const balance = new Balance({ random: () => (drawn++ % 100) / 100 });
  const found = ips(shared(10), balance, 100);
  assert.equal(found.filter((ip) => ip === '10.42.0.3').length, 10);
  assert.deepEqual(new Set(ips(shared(0), balance, 50)), new Set(['10.42.0.2']));
  assert.deepEqual(new Set(ips(shared(100), balance, 50)), new Set(['10.42.0.3']));
  const direct = decide(shared(0), request('new'), balance);
  assert.equal(direct.kind === 'endpoint' && direct.endpoint.ip, '10.42.0.3', 'it has its own name too');
});

test('a share without endpoints, of no Service, or all of whose endpoints were tried falls to the others', () => {
  const balance = new Balance();
  assert.deepEqual(new Set(ips(shared(50, { next: [] }), balance, 20)), new Set(['10.42.0.2']));
  assert.deepEqual(new Set(ips(shared(50, { web: [] }), balance, 20)), new Set(['10.42.0.3']));
  const [only] = shared(50).routes;
  assert.deepEqual(new Set(ips(tableOf(only!), balance, 20)), new Set(['10.42.0.2']));
  assert.deepEqual(ips(shared(50, { web: [], next: [] }), balance, 1), ['refused']);
  const again = decide(shared(100), request('web'), balance, new Set(['10.42.0.3:8080']));
  assert.equal(again.kind === 'endpoint' && again.endpoint.ip, '10.42.0.2');
});

test('requests of a path go to the Service that it is routed to, and to no other for want of that', () => {
  const paths = [{ suffix: ':explain', service: 'new' }];
  const table = tableOf(
    route('web', [endpoint('10.42.0.2')], { paths }),
    route('new', [endpoint('10.42.0.3')]),
  );
  const asked = (path: string, of = table) => decide(of, { ...request('web'), path }, new Balance());
  const ipOf = (decision: ReturnType<typeof decide>) => decision.kind === 'endpoint' && decision.endpoint.ip;
  assert.equal(ipOf(asked('/v1/models/m:explain')), '10.42.0.3');
  assert.equal(ipOf(asked('/v1/models/m:predict')), '10.42.0.2');
  assert.equal(ipOf(decide(table, request('web'), new Balance())), '10.42.0.2');
  const own = tableOf(route('web', [endpoint('10.42.0.2')], { paths: [{ suffix: '', service: 'web' }] }));
  assert.equal(ipOf(asked('/', own)), '10.42.0.2', 'one that leads to itself goes round once');
  assert.equal(asked(':explain', tableOf(route('web', [], { paths }), route('new', []))).kind, 'refused');
});

test('with session affinity a client stays in its share', () => {
  const [web, next] = shared(50).routes;
  const table = tableOf({ ...web!, isSticky: true }, next!);
  const balance = new Balance();
  const ipFor = (client: string) => {
    const decision = decide(table, { ...request('web'), client }, balance);
    return decision.kind === 'endpoint' ? decision.endpoint.ip : '';
  };
  const clients = Array.from({ length: 40 }, (_, at) => `10.42.1.${at}`);
  for (const client of clients) assert.equal(new Set(Array.from({ length: 9 }, () => ipFor(client))).size, 1);
  assert.equal(new Set(clients.map(ipFor)).size, 2);
});

test('what leads nowhere is refused with the reason', () => {
  const table = tableOf(route('web', []));
  assert.deepEqual(decide(table, request('web'), new Balance()), {
    kind: 'refused',
    reason: 'Service "web" in namespace "default" has no ready endpoints',
  });
  assert.deepEqual(decide(table, request('web', 81), new Balance()), {
    kind: 'refused',
    reason: 'Service "web" in namespace "default" has no port 81; its ports: 80',
  });
  assert.deepEqual(decide(table, request('example.com'), new Balance()), {
    kind: 'outside',
    host: 'example.com',
  });
});

test('advice names the Service that was meant, or the annotation that would grant egress', () => {
  const table = tableOf(route('preprocess', []), route('web', [], { namespace: 'shop' }));
  assert.equal(
    adviseUnreachable(table, request('preproces')),
    'no Service "preproces" in namespace "default"; did you mean "preprocess"?',
  );
  assert.equal(
    adviseUnreachable(table, request('web')),
    'no Service "web" in namespace "default"; did you mean "web.shop"?',
  );
  assert.equal(adviseUnreachable(table, request('nothing.at.svc')), 'no Service "nothing" in namespace "at"');
  assert.match(
    adviseUnreachable(table, request('example.com', 443)),
    /add the annotation selvage\.dev\/egress: "example\.com:443"/,
  );
});

test('an endpoint is found by its address', () => {
  const table = tableOf(route('web', [endpoint('10.42.0.2')]));
  assert.equal(findEndpoint(table, '10.42.0.2', 8080)?.node, 'a');
  assert.equal(findEndpoint(table, '10.42.0.2', 22), undefined);
});

test('a pod of a headless Service is found by its own name, on ports of the Service and of itself', () => {
  const pods = [endpoint('10.42.0.2', { hostname: 'db-0' }), endpoint('10.42.0.3', { hostname: 'db-1' })];
  const table = tableOf(
    route('db', pods),
    route('web', [endpoint('10.42.0.4')], { clusterIPs: ['10.43.0.7'] }),
  );
  const ipOf = (host: string, port = 80, namespace = 'default') => {
    const decision = decide(table, { host, port, namespace }, new Balance());
    return decision.kind === 'endpoint' ? decision.endpoint.ip : decision.kind;
  };
  for (const host of [
    'db-1.db',
    'DB-1.db.default',
    'db-1.db.default.svc',
    'db-1.db.default.svc.cluster.local',
  ]) {
    assert.equal(ipOf(host), '10.42.0.3', host);
  }
  assert.equal(ipOf('db-0.db', 8080), '10.42.0.2');
  assert.equal(ipOf('db-0.db', 81), 'refused');
  assert.equal(ipOf('db-2.db'), 'refused');
  assert.equal(ipOf('db-0.db.other'), 'outside');
  assert.equal(ipOf('db-0.db', 80, 'other'), 'outside');
  assert.equal(ipOf('x.10.43.0.7'), 'outside');
});

test('with session affinity a client stays with one endpoint, and clients spread over all', () => {
  const all = ['10.42.0.2', '10.42.0.3', '10.42.0.4'].map((ip) => endpoint(ip));
  const table = tableOf(route('web', all, { isSticky: true }));
  const ipFor = (client: string, tried?: Set<string>) => {
    const decision = decide(table, { ...request('web'), client }, new Balance(), tried);
    return decision.kind === 'endpoint' ? decision.endpoint.ip : decision.kind;
  };
  const chosen = new Map<string, number>();
  for (let at = 0; at < 60; at++) {
    const ip = ipFor(`10.42.1.${at}`);
    assert.equal(ipFor(`10.42.1.${at}`), ip);
    chosen.set(ip, (chosen.get(ip) ?? 0) + 1);
  }
  assert.equal(chosen.size, 3);
  assert.ok(Math.min(...chosen.values()) >= 8, `uneven: ${[...chosen.values()]}`);
  const first = ipFor('a');
  assert.notEqual(ipFor('a', new Set([`${first}:8080`])), first, 'one that failed is left');
});

test('a request may be kept to the endpoints of this node', () => {
  const table = tableOf(route('web', [endpoint('10.42.1.2', { isLocal: false, node: 'b' })]));
  assert.equal(decide(table, { ...request('web'), localOnly: true }, new Balance()).kind, 'refused');
  assert.equal(decide(table, request('web'), new Balance()).kind, 'endpoint');
});

test('an ExternalName Service stands for a name outside, or for another Service', () => {
  const table: RouteTable = {
    ...tableOf(route('web', [endpoint('10.42.0.2')])),
    externalNames: [
      { namespace: 'default', name: 'db', host: 'db.example.com' },
      { namespace: 'default', name: 'shop', host: 'web.default.svc.cluster.local' },
    ],
  };
  for (const host of ['db', 'db.default', 'db.default.svc.cluster.local']) {
    assert.deepEqual(decide(table, request(host, 5432), new Balance()), {
      kind: 'outside',
      host: 'db.example.com',
    });
  }
  const found = decide(table, request('shop'), new Balance());
  assert.equal(found.kind === 'endpoint' && found.endpoint.ip, '10.42.0.2');
  assert.deepEqual(decide(table, { ...request('db'), namespace: 'other' }, new Balance()), {
    kind: 'outside',
    host: 'db',
  });
});
