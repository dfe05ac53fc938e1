import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  compileRoutes,
  type EndpointSliceInput,
  meshAddressesText,
  type NodeInput,
  nodesWithoutAddress,
  type ServiceInput,
} from './compile.ts';

const nodes: NodeInput[] = [
  { metadata: { name: 'a', labels: { 'topology.kubernetes.io/zone': 'shop' } } },
  {
    metadata: {
      name: 'b',
      labels: { 'topology.kubernetes.io/zone': 'cloud' },
      annotations: { 'selvage.dev/mesh-address': '192.0.2.2:15008' },
    },
  },
];
const service: ServiceInput = {
  metadata: { name: 'web', namespace: 'default' },
  spec: { clusterIP: '10.43.0.7', ports: [{ name: 'http', port: 80 }], trafficDistribution: 'PreferClose' },
};
const slice = (endpoints: EndpointSliceInput['endpoints']): EndpointSliceInput => ({
  metadata: {
    name: 'web-1',
    namespace: 'default',
    labels: { 'kubernetes.io/service-name': 'web' },
    annotations: { 'selvage.dev/service-accounts': 'web, other' },
  },
  addressType: 'IPv4',
  endpoints: endpoints!,
  ports: [{ name: 'http', port: 8080 }],
});
const compile = (endpoints: EndpointSliceInput['endpoints']) =>
  compileRoutes({ services: [service], endpointSlices: [slice(endpoints)], nodes, node: 'a' });

test('a Service port leads to its ready endpoints, local and remote', () => {
  const table = compile([
    { addresses: ['10.42.1.2'], nodeName: 'b', conditions: { ready: true } },
    { addresses: ['10.42.0.2'], nodeName: 'a' },
    { addresses: ['10.42.0.3'], nodeName: 'a', conditions: { ready: false } },
  ]);
  const spiffeIds = [
    'spiffe://cluster.local/ns/default/sa/web',
    'spiffe://cluster.local/ns/default/sa/other',
  ];
  assert.deepEqual(table.node, { name: 'a', zone: 'shop' });
  assert.deepEqual(table.routes, [
    {
      namespace: 'default',
      name: 'web',
      clusterIPs: ['10.43.0.7'],
      preferClose: true,
      localOnly: false,
      ports: [
        {
          name: 'http',
          port: 80,
          endpoints: [
            { ip: '10.42.0.2', port: 8080, node: 'a', zone: 'shop', isLocal: true, spiffeIds },
            {
              ip: '10.42.1.2',
              port: 8080,
              node: 'b',
              zone: 'cloud',
              isLocal: false,
              meshAddress: '192.0.2.2:15008',
              spiffeIds,
            },
          ],
        },
      ],
    },
  ]);
});

test('endpoints that terminate but still serve are used only when none is ready', () => {
  const leaving = {
    addresses: ['10.42.0.9'],
    nodeName: 'a',
    conditions: { ready: false, serving: true, terminating: true },
  };
  const alone = compile([leaving]).routes[0]?.ports[0]?.endpoints;
  assert.deepEqual(
    alone?.map(({ ip }) => ip),
    ['10.42.0.9'],
  );
  const joined = compile([leaving, { addresses: ['10.42.0.2'], nodeName: 'a' }]).routes[0]?.ports[0]
    ?.endpoints;
  assert.deepEqual(
    joined?.map(({ ip }) => ip),
    ['10.42.0.2'],
  );
});

test('the version changes with the content and only with it', () => {
  const one = { addresses: ['10.42.0.2'], nodeName: 'a' };
  const two = { addresses: ['10.42.0.3'], nodeName: 'a' };
  assert.equal(compile([one, two]).version, compile([two, one]).version);
  assert.notEqual(compile([one]).version, compile([one, two]).version);
});

test('a table survives JSON, as it travels to the pods', () => {
  const table = compile([{ addresses: ['10.42.0.2'], nodeName: 'a' }]);
  assert.deepEqual(JSON.parse(JSON.stringify(table)), table);
});

test('headless Services have no address, and ExternalName Services no route', () => {
  const headless = { ...service, spec: { ...service.spec!, clusterIP: 'None' } };
  const external = { metadata: { name: 'x', namespace: 'default' }, spec: { type: 'ExternalName' } };
  const table = compileRoutes({ services: [headless, external], endpointSlices: [], nodes, node: 'a' });
  assert.deepEqual(
    table.routes.map(({ name, clusterIPs }) => ({ name, clusterIPs })),
    [{ name: 'web', clusterIPs: [] }],
  );
});

test('shares come from an annotation, and one that is no list of shares counts for nothing', () => {
  const splitOf = (text: string) => {
    const annotations = { 'selvage.dev/traffic-split': text };
    const shared = { ...service, metadata: { ...service.metadata, annotations } };
    return compileRoutes({ services: [shared], endpointSlices: [], nodes, node: 'a' }).routes[0]?.split;
  };
  assert.deepEqual(
    splitOf(
      '[{"service":"a","percent":90},{"service":"b","percent":10,"more":1},{"service":"c","percent":0}]',
    ),
    [
      { service: 'a', percent: 90 },
      { service: 'b', percent: 10 },
    ],
  );
  for (const wrong of [
    '',
    'none',
    '{}',
    'null',
    '[null]',
    '[{"service":1,"percent":5}]',
    '[{"service":"a"}]',
  ])
    assert.equal(splitOf(wrong), undefined, wrong);
  const many = Array.from({ length: 100 }, (_, at) => ({ service: `s${at}`, percent: 1 }));
  assert.equal(splitOf(JSON.stringify(many))?.length, 16);
});

test('paths come from an annotation too', () => {
  const annotations = {
    'selvage.dev/path-routes': '[{"suffix":":explain","service":"why"},{"suffix":"","service":"a"}]',
  };
  const routed = { ...service, metadata: { ...service.metadata, annotations } };
  const [route] = compileRoutes({ services: [routed], endpointSlices: [], nodes, node: 'a' }).routes;
  assert.deepEqual(route?.paths, [{ suffix: ':explain', service: 'why' }]);
});

test('a slice says how to reach its nodes, of which nothing else need be known', () => {
  const endpoints = [
    { addresses: ['10.42.1.2'], nodeName: 'b', zone: 'cloud' },
    { addresses: ['10.42.2.2'], nodeName: 'c', zone: 'cloud' },
  ];
  const told = slice(endpoints);
  const addresses = meshAddressesText(
    new Map([
      ['c', '[2001:db8::1]:15008'],
      ['b', 'relay.example:443'],
    ]),
  );
  assert.equal(addresses, 'b=relay.example:443,c=[2001:db8::1]:15008');
  Object.assign(told.metadata!.annotations!, { 'selvage.dev/mesh-addresses': addresses });
  const table = compileRoutes({
    services: [service],
    endpointSlices: [told],
    nodes: nodes.slice(0, 1),
    node: 'a',
  });
  assert.deepEqual(
    table.routes[0]?.ports[0]?.endpoints.map(({ node, zone, meshAddress }) => [node, zone, meshAddress]),
    [
      ['b', 'cloud', 'relay.example:443'],
      ['c', 'cloud', '[2001:db8::1]:15008'],
    ],
  );
});

test('other nodes must be asked for only where somebody else made the slice', () => {
  const endpoints = [
    { addresses: ['10.42.1.2'], nodeName: 'b' },
    { addresses: ['10.42.0.2'], nodeName: 'a' },
  ];
  const made = slice(endpoints);
  const foreign = { ...slice(endpoints), metadata: { ...made.metadata, annotations: {} } };
  assert.deepEqual(nodesWithoutAddress([made], 'a'), new Set());
  assert.deepEqual(nodesWithoutAddress([made, foreign], 'a'), new Set(['b']));
});
