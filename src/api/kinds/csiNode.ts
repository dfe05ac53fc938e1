import { isEqualSemantically } from '../equal.ts';
import { defineKind, kindSchema, type ObjectOf } from '../kind.ts';
import { dns1123Subdomain, qualifiedName } from '../names.ts';
import type { Path } from '../path.ts';
import type { Report } from '../report.ts';
import { type Check, integer, keyedList, list, object, required, string } from '../schema.ts';
import { ageColumn, nameColumn } from '../table.ts';

export const volumeNodeResources = object('io.k8s.api.storage.v1.VolumeNodeResources', {
  count: integer({ doc: 'How many volumes the node can have at a time.', min: 0 }),
});

const nodeIdCharactersMax = 192;

export const csiNodeDriver = object(
  'io.k8s.api.storage.v1.CSINodeDriver',
  {
    allocatable: volumeNodeResources,
    name: required(string({ doc: "The driver's name.", check: checkDriverName })),
    nodeID: required(
      string({
        doc: 'What the driver calls the node.',
        check(value, at, report) {
          if (value.length <= nodeIdCharactersMax) return;
          report.invalid(at, value, `must be ${nodeIdCharactersMax} characters or less`);
        },
      }),
    ),
    topologyKeys: list(string(), { doc: 'Labels that tell where its volumes can be reached.' }),
  },
  { check: ({ topologyKeys = [] }, at, report) => checkKeys(topologyKeys, at, report) },
);

export const csiNodeSpec = object('io.k8s.api.storage.v1.CSINodeSpec', {
  drivers: required(
    keyedList(['name'], csiNodeDriver, {
      doc: "The node's drivers.",
      default: [],
      mayBeEmpty: true,
      check: checkDistinct,
    }),
  ),
});

const schema = kindSchema(
  'io.k8s.api.storage.v1.CSINode',
  { apiVersion: 'storage.k8s.io/v1', kind: 'CSINode' },
  { spec: required(csiNodeSpec) },
  "CSINode lists a node's drivers of the Container Storage Interface.",
);

export interface CSINode extends ObjectOf<typeof schema> {}

export const csiNode = defineKind<CSINode>({
  group: 'storage.k8s.io',
  version: 'v1',
  kind: 'CSINode',
  plural: 'csinodes',
  namespaced: false,
  schema,
  checkUpdate(next, previous, report, root) {
    for (const before of previous.spec.drivers) {
      for (const after of next.spec.drivers.filter(({ name }) => name === before.name)) {
        if (!isEqualSemantically(after, before)) {
          report.invalid(root.child('CSINodeDriver'), after, 'field is immutable');
        }
      }
    }
  },
  columns: [
    nameColumn,
    {
      name: 'Drivers',
      type: 'integer',
      doc: 'How many drivers it has.',
      value: ({ spec }) => spec?.drivers?.length ?? 0,
    },
    ageColumn,
  ],
});

const driverNameBytesMax = 63;

/** A driver's name: a domain name of at most 63 characters, in either case. */
export function checkDriverName(driver: string, at: Path, report: Report): void {
  if (Buffer.byteLength(driver) > driverNameBytesMax) report.tooLong(at, driverNameBytesMax);
  for (const wrong of dns1123Subdomain(driver.toLowerCase())) report.invalid(at, driver, wrong);
}

function checkKeys(keys: readonly string[], at: Path, report: Report): void {
  const seen = new Set<string>();
  for (const key of keys) {
    if (key === '') report.required(at);
    if (seen.has(key)) report.duplicate(at, key);
    seen.add(key);
    for (const wrong of qualifiedName(key)) report.invalid(at, key, wrong);
  }
}

function checkDistinct(...[drivers, at, report]: Parameters<Check<{ name: string }[]>>): void {
  const seen = new Set<string>();
  for (const [index, { name }] of drivers.entries()) {
    if (seen.has(name)) report.duplicate(at.index(index).child('name'), name);
    seen.add(name);
  }
}
