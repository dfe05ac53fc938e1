import { distinct } from '../checks.ts';
import { immutable } from '../immutable.ts';
import { defineKind, kindSchema, type ObjectOf } from '../kind.ts';
import { objectReference } from '../parts/meta.ts';
import {
  boolean,
  type Check,
  integer,
  list,
  map,
  object,
  oneOf,
  required,
  setList,
  string,
  type TypeOf,
} from '../schema.ts';
import { ageColumn, nameColumn } from '../table.ts';

export const forZone = object('io.k8s.api.discovery.v1.ForZone', {
  name: required(string({ doc: 'The zone.' })),
});
export type ForZone = TypeOf<typeof forZone>;

export const endpointHints = object('io.k8s.api.discovery.v1.EndpointHints', {
  forZones: list(forZone, { doc: 'Zones that should use it.' }),
});
export type EndpointHints = TypeOf<typeof endpointHints>;

export const endpointConditions = object('io.k8s.api.discovery.v1.EndpointConditions', {
  ready: boolean({ doc: 'Whether it takes new traffic.' }),
  serving: boolean({ doc: 'Whether it answers, be it terminating or not.' }),
  terminating: boolean({ doc: 'Whether it is about to end.' }),
});
export type EndpointConditions = TypeOf<typeof endpointConditions>;

export const endpoint = object('io.k8s.api.discovery.v1.Endpoint', {
  addresses: required(
    setList(string(), { doc: 'Its addresses; all mean the same endpoint.', mergeKey: undefined }),
  ),
  conditions: endpointConditions,
  deprecatedTopology: map(string(), { doc: 'No longer used.' }),
  hints: endpointHints,
  hostname: string({ doc: "The endpoint's host name." }),
  nodeName: string({ doc: 'The node that it is on.' }),
  targetRef: objectReference,
  zone: string({ doc: 'The zone that it is in.' }),
});
export type Endpoint = TypeOf<typeof endpoint>;

export const endpointPort = object(
  'io.k8s.api.discovery.v1.EndpointPort',
  {
    appProtocol: string({ doc: 'What is spoken on it.' }),
    name: string({ doc: "The service port's name.", default: '' }),
    port: integer({ doc: 'The port; every one if absent.', min: 1, max: 65535 }),
    protocol: oneOf(['TCP', 'UDP', 'SCTP'], { doc: 'TCP, UDP or SCTP.', default: 'TCP' }),
  },
  { listType: 'atomic' },
);
export type EndpointPort = TypeOf<typeof endpointPort>;

const endpointsMax = 1000;

function checkCount(...[endpoints, at, report]: Parameters<Check<Endpoint[]>>): void {
  if (endpoints.length > endpointsMax) report.tooMany(at, endpoints.length, endpointsMax);
}

const schema = kindSchema(
  'io.k8s.api.discovery.v1.EndpointSlice',
  { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice' },
  {
    addressType: required(
      oneOf(['IPv4', 'IPv6', 'FQDN'], { doc: 'What the addresses are.', checkUpdate: immutable }),
    ),
    endpoints: required(list(endpoint, { doc: 'At most 1000.', mayBeEmpty: true, check: checkCount })),
    ports: list(endpointPort, { doc: 'The ports of every endpoint.', check: distinct<EndpointPort>('name') }),
  },
  'EndpointSlice lists a part of the endpoints that stand behind a Service.',
);

export interface EndpointSlice extends ObjectOf<typeof schema> {}

export const endpointSlice = defineKind<EndpointSlice>({
  group: 'discovery.k8s.io',
  version: 'v1',
  kind: 'EndpointSlice',
  plural: 'endpointslices',
  namespaced: true,
  countsGenerations: true,
  isTracked: false,
  schema,
  columns: [
    nameColumn,
    { name: 'AddressType', doc: 'IPv4, IPv6 or FQDN.', value: (slice) => slice.addressType },
    { name: 'Ports', doc: 'The ports of every endpoint.', value: portsText },
    { name: 'Endpoints', doc: 'Their addresses.', value: endpointsText },
    ageColumn,
  ],
});

const shownMax = 3;

function portsText(slice: EndpointSlice): string {
  const ports = (slice.ports ?? []).map(({ port, name }) =>
    port === undefined ? (name ?? '*') : String(port),
  );
  return shorten(ports) || '<unset>';
}

function endpointsText(slice: EndpointSlice): string {
  return shorten(slice.endpoints.flatMap((each) => each.addresses)) || '<unset>';
}

function shorten(texts: string[]): string {
  const shown = texts.slice(0, shownMax).join(',');
  return texts.length > shownMax ? `${shown} + ${texts.length - shownMax} more...` : shown;
}
