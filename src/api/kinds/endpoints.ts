import { follows } from '../checks.ts';
import { defineKind, kindSchema, type ObjectOf } from '../kind.ts';
import { dns1123Label, dns1123Subdomain, qualifiedName } from '../names.ts';
import { checkAddress, checkOrdinaryAddress } from '../network-address.ts';
import { objectReference } from '../parts/meta.ts';
import type { Path } from '../path.ts';
import type { Report } from '../report.ts';
import { integer, list, object, oneOf, refine, required, string, type TypeOf } from '../schema.ts';
import { ageColumn, nameColumn } from '../table.ts';

export const endpointAddress = object(
  'io.k8s.api.core.v1.EndpointAddress',
  {
    hostname: string({ doc: "The endpoint's host name.", check: ifSet(follows(dns1123Label)) }),
    ip: required(string({ doc: 'Its address; no loopback or link-local one.', check: checkIp })),
    nodeName: string({ doc: 'The node that it is on.', check: follows(dns1123Subdomain) }),
    targetRef: refine(objectReference, { doc: 'What it is, mostly a pod.' }),
  },
  { listType: 'atomic' },
);
export type EndpointAddress = TypeOf<typeof endpointAddress>;

export const coreEndpointPort = object(
  'io.k8s.api.core.v1.EndpointPort',
  {
    appProtocol: string({ doc: 'What is spoken on it.', check: follows(qualifiedName) }),
    name: string({
      doc: "The service port's name; needed where there are several.",
      check: ifSet(follows(dns1123Label)),
    }),
    port: required(integer({ doc: 'The port.', min: 1, max: 65535 })),
    protocol: oneOf(['TCP', 'UDP', 'SCTP'], { doc: 'TCP, UDP or SCTP.', default: 'TCP' }),
  },
  { listType: 'atomic' },
);
export type CoreEndpointPort = TypeOf<typeof coreEndpointPort>;

export const endpointSubset = object(
  'io.k8s.api.core.v1.EndpointSubset',
  {
    addresses: list(endpointAddress, { doc: 'Those that are ready.' }),
    notReadyAddresses: list(endpointAddress, { doc: 'Those that are not, or no longer.' }),
    ports: list(coreEndpointPort, { doc: 'The ports of all of them.' }),
  },
  {
    check({ addresses, notReadyAddresses, ports = [] }, at, report) {
      if (!addresses?.length && !notReadyAddresses?.length) {
        report.required(at, 'must specify `addresses` or `notReadyAddresses`');
      }
      for (const [index, { name }] of ports.entries()) {
        if (ports.length > 1 && !name) report.required(at.child('ports').index(index).child('name'));
      }
    },
  },
);
export type EndpointSubset = TypeOf<typeof endpointSubset>;

const schema = kindSchema(
  'io.k8s.api.core.v1.Endpoints',
  { apiVersion: 'v1', kind: 'Endpoints' },
  { subsets: list(endpointSubset, { doc: 'Each address of a subset has all of its ports.' }) },
  'Endpoints lists what stands behind a Service, in one object; EndpointSlices do it in parts.',
);

export interface Endpoints extends ObjectOf<typeof schema> {}

export const endpoints = defineKind<Endpoints>({
  group: '',
  version: 'v1',
  kind: 'Endpoints',
  plural: 'endpoints',
  shortNames: ['ep'],
  namespaced: true,
  isTracked: false,
  schema,
  columns: [nameColumn, { name: 'Endpoints', doc: 'Those that are ready.', value: endpointsText }, ageColumn],
});

function ifSet(check: (value: string, at: Path, report: Report) => void) {
  return (value: string, at: Path, report: Report) => {
    if (value !== '') check(value, at, report);
  };
}

function checkIp(address: string, at: Path, report: Report): void {
  checkAddress(address, at, report);
  checkOrdinaryAddress(address, at, report);
}

const shownMax = 3;

function endpointsText({ subsets = [] }: Endpoints): string {
  if (subsets.length === 0) return '<none>';
  const texts = subsets.flatMap(({ addresses = [], ports = [] }) =>
    ports.length === 0
      ? addresses.map(({ ip }) => ip)
      : ports.flatMap(({ port }) =>
          addresses.map(({ ip }) => `${ip.includes(':') ? `[${ip}]` : ip}:${port}`),
        ),
  );
  const shown = texts.slice(0, shownMax).join(',');
  return texts.length > shownMax ? `${shown} + ${texts.length - shownMax} more...` : shown;
}
