import { immutable } from '../immutable.ts';
import { defineKind, kindSchema, type ObjectOf } from '../kind.ts';
import type { Path } from '../path.ts';
import type { Report } from '../report.ts';
import { boolean, integer, oneOf, string } from '../schema.ts';
import { ageColumn, nameColumn } from '../table.ts';

/** What users may give their pods at most; what is above is the cluster's own. */
export const userPriorityMax = 1_000_000_000;

/** The classes that every cluster has. */
export const systemPriorityClasses = [
  {
    metadata: { name: 'system-node-critical' },
    value: 2_000_001_000,
    description: 'Used for system critical pods that must not be moved from their current node.',
  },
  {
    metadata: { name: 'system-cluster-critical' },
    value: 2_000_000_000,
    description:
      'Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.',
  },
];
const systemPrefix = 'system-';

const schema = kindSchema(
  'io.k8s.api.scheduling.v1.PriorityClass',
  { apiVersion: 'scheduling.k8s.io/v1', kind: 'PriorityClass' },
  {
    description: string({ doc: 'When to use it.' }),
    globalDefault: boolean({
      doc: 'Whether pods that name no class get this one; true for one class at most.',
    }),
    preemptionPolicy: oneOf(['Never', 'PreemptLowerPriority'], {
      doc: 'Whether its pods may take the place of pods of lower priority.',
      default: 'PreemptLowerPriority',
    }),
    value: integer({
      doc: 'The priority of its pods; the higher, the more important.',
      default: 0,
      min: -2147483648,
      max: 2147483647,
    }),
  },
  'PriorityClass names a priority of pods.',
);

export interface PriorityClass extends ObjectOf<typeof schema> {}

export const priorityClass = defineKind<PriorityClass>({
  group: 'scheduling.k8s.io',
  version: 'v1',
  kind: 'PriorityClass',
  plural: 'priorityclasses',
  shortNames: ['pc'],
  namespaced: false,
  countsGenerations: true,
  schema,
  columns: [
    nameColumn,
    { name: 'Value', type: 'integer', doc: 'The priority.', value: ({ value }) => value ?? 0 },
    {
      name: 'Global-Default',
      type: 'boolean',
      doc: 'Whether pods that name no class get this one.',
      value: ({ globalDefault }) => globalDefault ?? false,
    },
    ageColumn,
    {
      name: 'PreemptionPolicy',
      doc: 'Whether its pods may take the place of others.',
      value: ({ preemptionPolicy }) => preemptionPolicy ?? '',
    },
  ],
  check: checkClass,
  checkUpdate(next, previous, report, root) {
    if ((next.value ?? 0) !== (previous.value ?? 0)) {
      report.forbidden(root.child('value'), 'may not be changed in an update.');
    }
    immutable(next.preemptionPolicy, previous.preemptionPolicy, root.child('preemptionPolicy'), report);
  },
});

function checkClass(
  { metadata, value = 0, globalDefault = false }: PriorityClass,
  report: Report,
  root: Path,
) {
  const name = metadata?.name ?? '';
  if (!name.startsWith(systemPrefix)) {
    if (value <= userPriorityMax) return;
    const why = `maximum allowed value of a user defined priority is ${userPriorityMax}`;
    report.forbidden(root.child('value'), why);
    return;
  }
  const why = systemError(name, value, globalDefault);
  if (why === undefined) return;
  report.forbidden(
    root.child('metadata').child('name'),
    `priority class names with '${systemPrefix}' prefix are reserved for system use only. error: ${why}`,
  );
}

function systemError(name: string, value: number, globalDefault: boolean): string | undefined {
  const known = systemPriorityClasses.find(({ metadata }) => metadata.name === name);
  if (!known) return `${name} is not a known system priority class`;
  if (value !== known.value) return `value of ${name} PriorityClass must be ${known.value}`;
  return globalDefault ? `globalDefault of ${name} PriorityClass must be false` : undefined;
}
