import { defineKind, kindSchema, type ObjectOf } from '../kind.ts';
import { objectReference } from '../parts/meta.ts';
import {
  boolean,
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
  name: required(string()),
});
export type ForZone = TypeOf<typeof forZone>;

export const forNode = object('io.k8s.api.discovery.v1.ForNode', {
  name: required(string()),
});
export type ForNode = TypeOf<typeof forNode>;

export const endpointHints = object('io.k8s.api.discovery.v1.EndpointHints', {
  forNodes: list(forNode),
  forZones: list(forZone),
});
export type EndpointHints = TypeOf<typeof endpointHints>;

export const endpointConditions = object('io.k8s.api.discovery.v1.EndpointConditions', {
  ready: boolean(),
  serving: boolean(),
  terminating: boolean(),
});
export type EndpointConditions = TypeOf<typeof endpointConditions>;

export const endpoint = object('io.k8s.api.discovery.v1.Endpoint', {
  addresses: required(setList(string(), { mergeKey: undefined })),
  conditions: endpointConditions,
  deprecatedTopology: map(string()),
  hints: endpointHints,
  hostname: string(),
  nodeName: string(),
  targetRef: objectReference,
  zone: string(),
});
export type Endpoint = TypeOf<typeof endpoint>;

export const endpointPort = object(
  'io.k8s.api.discovery.v1.EndpointPort',
  {
    appProtocol: string(),
    name: string(),
    port: integer(),
    protocol: oneOf(['TCP', 'UDP', 'SCTP']),
  },
  { listType: 'atomic' },
);
export type EndpointPort = TypeOf<typeof endpointPort>;

const schema = kindSchema(
  'io.k8s.api.discovery.v1.EndpointSlice',
  { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice' },
  {
    addressType: required(oneOf(['IPv4', 'IPv6', 'FQDN'])),
    endpoints: required(list(endpoint)),
    ports: list(endpointPort),
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
    port === undefined ? (name ?? '') : String(port),
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
