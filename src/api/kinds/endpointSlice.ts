import { follows } from '../checks.ts';
import { immutable } from '../immutable.ts';
import { defineKind, kindSchema, type ObjectOf } from '../kind.ts';
import { dns1123Label, dns1123Subdomain, labelValue, qualifiedName } from '../names.ts';
import { addressFamily, checkOrdinaryAddress, isLoopback } from '../network-address.ts';
import { objectReference } from '../parts/meta.ts';
import type { Path } from '../path.ts';
import type { Report } from '../report.ts';
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
  name: required(string({ doc: 'The zone.', mayBeEmpty: true, check: follows(labelValue) })),
});
export type ForZone = TypeOf<typeof forZone>;

export const endpointHints = object('io.k8s.api.discovery.v1.EndpointHints', {
  forZones: list(forZone, { doc: 'Zones that should use it; at most 8.', check: checkZones }),
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
    setList(string(), {
      doc: 'Its addresses, at most 100; all mean the same endpoint.',
      mergeKey: undefined,
      absent: 'must contain at least 1 address',
    }),
  ),
  conditions: endpointConditions,
  deprecatedTopology: map(string(), { doc: 'No longer used.' }),
  hints: endpointHints,
  hostname: string({ doc: "The endpoint's host name.", check: follows(dns1123Label) }),
  nodeName: string({ doc: 'The node that it is on.', check: follows(dns1123Subdomain) }),
  targetRef: objectReference,
  zone: string({ doc: 'The zone that it is in.' }),
});
export type Endpoint = TypeOf<typeof endpoint>;

export const endpointPort = object(
  'io.k8s.api.discovery.v1.EndpointPort',
  {
    appProtocol: string({ doc: 'What is spoken on it.', check: follows(qualifiedName) }),
    name: string({ doc: "The service port's name.", default: '', check: checkPortName }),
    port: integer({ doc: 'The port; every one if absent.', min: 1, max: 65535 }),
    protocol: oneOf(['TCP', 'UDP', 'SCTP'], { doc: 'TCP, UDP or SCTP.', default: 'TCP' }),
  },
  { listType: 'atomic' },
);
export type EndpointPort = TypeOf<typeof endpointPort>;

const schema = kindSchema(
  'io.k8s.api.discovery.v1.EndpointSlice',
  { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice' },
  {
    addressType: required(
      oneOf(['IPv4', 'IPv6', 'FQDN'], { doc: 'What the addresses are.', checkUpdate: immutable }),
    ),
    endpoints: required(list(endpoint, { doc: 'At most 1000.', mayBeEmpty: true })),
    ports: list(endpointPort, { doc: 'The ports of every endpoint.', check: checkPorts }),
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
  check: checkEndpoints,
  columns: [
    nameColumn,
    { name: 'AddressType', doc: 'IPv4, IPv6 or FQDN.', value: (slice) => slice.addressType },
    { name: 'Ports', doc: 'The ports of every endpoint.', value: portsText },
    { name: 'Endpoints', doc: 'Their addresses.', value: endpointsText },
    ageColumn,
  ],
});

const endpointsMax = 1000;
const addressesMax = 100;
const portsMax = 20_000;
const zonesMax = 8;

function checkEndpoints({ endpoints = [], addressType }: EndpointSlice, report: Report, root: Path): void {
  const at = root.child('endpoints');
  if (endpoints.length > endpointsMax) {
    report.tooMany(at, endpoints.length, endpointsMax);
    return;
  }
  for (const [index, { addresses = [] }] of endpoints.entries()) {
    const addressesAt = at.index(index).child('addresses');
    if (addresses.length > addressesMax) report.tooMany(addressesAt, addresses.length, addressesMax);
    for (const [addressIndex, address] of addresses.entries())
      checkAddressOf(addressType, address, addressesAt.index(addressIndex), report);
  }
}

function checkAddressOf(type: string, address: string, at: Path, report: Report): void {
  if (type === 'FQDN') checkDomainName(address, at, report);
  if (type !== 'IPv4' && type !== 'IPv6') return;
  if (`IPv${addressFamily(address)}` !== type) report.invalid(at, address, `must be a valid ${type} address`);
  // Unlike in Kubernetes, a cluster may be all on one machine: its API server then answers there.
  if (addressFamily(address) === 0 || !isLoopback(address)) checkOrdinaryAddress(address, at, report);
}

function checkDomainName(written: string, at: Path, report: Report): void {
  if (written === '') report.required(at);
  const name = written.replace(/\.$/, '');
  const wrong = name === '' ? [] : dns1123Subdomain(name);
  for (const message of wrong) report.invalid(at, name, message);
  if (name === '' || wrong.length > 0) return;
  const labels = name.split('.');
  if (labels.length < 2)
    report.invalid(at, name, 'should be a domain with at least two segments separated by dots');
  else for (const label of labels) follows(dns1123Label)(label, at, report);
}

function checkPortName(name: string, at: Path, report: Report): void {
  if (name !== '') follows(dns1123Label)(name, at, report);
}

function checkPorts(ports: EndpointPort[], at: Path, report: Report): void {
  if (ports.length > portsMax) report.tooMany(at, ports.length, portsMax);
  else checkNames(ports, at, report);
}

function checkZones(zones: ForZone[], at: Path, report: Report): void {
  if (zones.length > zonesMax) report.tooMany(at, zones.length, zonesMax);
  else checkNames(zones, at, report);
}

/** Not even the empty name may come twice. */
function checkNames(items: { name?: string }[], at: Path, report: Report): void {
  const seen = new Set<string>();
  for (const [index, { name = '' }] of items.entries()) {
    if (seen.has(name)) report.duplicate(at.index(index).child('name'), name);
    seen.add(name);
  }
}

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
