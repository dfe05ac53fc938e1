import { isEqualSemantically } from '../equal.ts';
import { mandatoryPriorityLevels } from '../flow-control-bootstrap.ts';
import { defineKind, kindSchema, type ObjectOf } from '../kind.ts';
import { flowControlCondition } from '../parts/flowControlCondition.ts';
import type { Path } from '../path.ts';
import type { Report } from '../report.ts';
import { type Check, integer, keyedList, object, refine, required, string, type TypeOf } from '../schema.ts';
import { ageColumn, nameColumn } from '../table.ts';

const queuesMax = 10_000_000;
/** A hand is dealt from so many bits of a hash. */
const hashBitsMax = 60;

const share: Check<number> = (value, at, report) => {
  if (value < 0) report.invalid(at, value, 'must be a non-negative integer');
};
const percent: Check<number> = (value, at, report) => {
  if (value < 0 || value > 100) report.invalid(at, value, 'must be between 0 and 100, inclusive');
};

export const queuingConfiguration = object(
  'io.k8s.api.flowcontrol.v1.QueuingConfiguration',
  {
    handSize: integer({ doc: 'Of how many queues a flow gets the shortest.', default: 8 }),
    queueLengthLimit: integer({ doc: 'How many requests may wait in one queue.', default: 50 }),
    queues: integer({ doc: 'How many queues there are.', default: 64 }),
  },
  {
    complete(queuing) {
      // Go knows no number that is absent.
      queuing.handSize ||= 8;
      queuing.queueLengthLimit ||= 50;
      queuing.queues ||= 64;
    },
    check({ queues = 0, handSize = 0, queueLengthLimit = 0 }, at, report) {
      const wrong = (field: string, value: number, why: string) =>
        report.invalid(at.child(field), value, why);
      if (queueLengthLimit <= 0) wrong('queueLengthLimit', queueLengthLimit, 'must be positive');
      if (queues <= 0) wrong('queues', queues, 'must be positive');
      else if (queues > queuesMax) wrong('queues', queues, `must not be greater than ${queuesMax}`);
      const bits = Math.ceil(Math.log2(queues) * handSize);
      if (handSize <= 0) wrong('handSize', handSize, 'must be positive');
      else if (handSize > queues)
        wrong('handSize', handSize, `should not be greater than queues (${queues})`);
      else if (bits > hashBitsMax) {
        const what = `required entropy bits of deckSize ${queues} and handSize ${handSize}`;
        wrong('handSize', handSize, `${what} should not be greater than ${hashBitsMax}`);
      }
    },
  },
);
export type QueuingConfiguration = TypeOf<typeof queuingConfiguration>;

const limitResponse = object(
  'io.k8s.api.flowcontrol.v1.LimitResponse',
  {
    queuing: refine(queuingConfiguration, { doc: 'How they wait.' }),
    type: required(string({ doc: 'Queue or Reject.', mayBeEmpty: true })),
  },
  {
    check({ type, queuing }, at, report) {
      const known = ['Queue', 'Reject'];
      if (!known.includes(type)) report.unsupported(at.child('type'), type, known);
      else if (type === 'Reject' && queuing) {
        report.forbidden(at.child('queuing'), 'must be nil if limited.limitResponse.type is not Limited');
      } else if (type === 'Queue' && !queuing) {
        report.required(at.child('queuing'), 'must not be empty if limited.limitResponse.type is Limited');
      }
    },
  },
);

export const limitedPriorityLevel = object('io.k8s.api.flowcontrol.v1.LimitedPriorityLevelConfiguration', {
  borrowingLimitPercent: integer({
    doc: 'How much it may borrow of other levels, of its own; without it, whatever they lend.',
    check: (value, at, report) => {
      if (value < 0) report.invalid(at, value, 'if specified, must be a non-negative integer');
    },
  }),
  lendablePercent: integer({
    doc: 'How much of its own it lends to other levels.',
    default: 0,
    check: percent,
  }),
  limitResponse: refine(limitResponse, { doc: 'What becomes of requests that find no seat.' }),
  nominalConcurrencyShares: integer({
    doc: 'Its share of the requests that the server answers at a time.',
    default: 30,
    check: share,
  }),
});
export type LimitedPriorityLevel = TypeOf<typeof limitedPriorityLevel>;

const exempt = object('io.k8s.api.flowcontrol.v1.ExemptPriorityLevelConfiguration', {
  lendablePercent: integer({
    doc: 'How much of its own it lends to other levels.',
    default: 0,
    check: percent,
  }),
  nominalConcurrencyShares: integer({ doc: 'Its share, for others to borrow.', default: 0, check: share }),
});

export const priorityLevelSpec = object('io.k8s.api.flowcontrol.v1.PriorityLevelConfigurationSpec', {
  exempt: refine(exempt, { doc: 'Of the level that has no limit.' }),
  limited: refine(limitedPriorityLevel, { doc: 'Of a level with a limit.' }),
  type: required(string({ doc: 'Exempt or Limited.', mayBeEmpty: true })),
});

const schema = kindSchema(
  'io.k8s.api.flowcontrol.v1.PriorityLevelConfiguration',
  { apiVersion: 'flowcontrol.apiserver.k8s.io/v1', kind: 'PriorityLevelConfiguration' },
  {
    spec: priorityLevelSpec,
    status: object('io.k8s.api.flowcontrol.v1.PriorityLevelConfigurationStatus', {
      conditions: keyedList(['type'], flowControlCondition('PriorityLevelConfigurationCondition'), {
        doc: 'What is the case.',
        mergeKey: 'type',
      }),
    }),
  },
  'PriorityLevelConfiguration says how many requests of a priority are answered at a time, and what becomes of more.',
);

export interface PriorityLevelConfiguration extends ObjectOf<typeof schema> {}

type Queuing = QueuingConfiguration | undefined;
const queuingOf = ({ spec }: PriorityLevelConfiguration): Queuing => spec?.limited?.limitResponse?.queuing;

export const priorityLevelConfiguration = defineKind<PriorityLevelConfiguration>({
  group: 'flowcontrol.apiserver.k8s.io',
  version: 'v1',
  kind: 'PriorityLevelConfiguration',
  plural: 'prioritylevelconfigurations',
  namespaced: false,
  schema,
  subresources: { status: true },
  columns: [
    nameColumn,
    { name: 'Type', doc: 'Exempt or Limited.', value: ({ spec }) => spec?.type ?? '' },
    {
      name: 'NominalConcurrencyShares',
      doc: 'Its share of the requests that are answered at a time.',
      value: ({ spec }) => spec?.limited?.nominalConcurrencyShares ?? '<none>',
    },
    {
      name: 'Queues',
      doc: 'How many queues it has.',
      value: (level) => queuingOf(level)?.queues ?? '<none>',
    },
    {
      name: 'HandSize',
      doc: 'How many queues a flow chooses from.',
      value: (level) => queuingOf(level)?.handSize ?? '<none>',
    },
    {
      name: 'QueueLengthLimit',
      doc: 'How many requests may wait in one queue.',
      value: (level) => queuingOf(level)?.queueLengthLimit ?? '<none>',
    },
    ageColumn,
  ],
  check: checkLevel,
});

function checkLevel({ metadata, spec }: PriorityLevelConfiguration, report: Report, root: Path): void {
  const name = metadata?.name ?? '';
  const at = root.child('spec');
  const { type = '', limited, exempt: exemption } = spec ?? {};
  if ((name === 'exempt') !== (type === 'Exempt')) {
    report.invalid(at.child('type'), type, "type must be 'Exempt' if and only if name is 'exempt'");
  }
  if (type === 'Exempt') {
    if (limited) report.forbidden(at.child('limited'), 'must be nil if the type is not Limited');
  } else if (type === 'Limited') {
    if (exemption) report.forbidden(at.child('exempt'), 'must be nil if the type is Limited');
    if (!limited) report.required(at.child('limited'), 'must not be empty when type is Limited');
    else if (!limited.limitResponse) {
      report.unsupported(at.child('limited').child('limitResponse').child('type'), '', ['Queue', 'Reject']);
    }
  } else {
    report.unsupported(at.child('type'), type, ['Exempt', 'Limited']);
  }
  const mandatory = mandatoryPriorityLevels.find((each) => each.metadata.name === name);
  if (!mandatory) return;
  const isExempt = name === 'exempt';
  const fixed = isExempt ? { ...mandatory.spec, exempt: exemption } : mandatory.spec;
  if (isEqualSemantically(fixed, spec)) return;
  const but = isExempt ? " except the 'spec.exempt' field" : '';
  report.invalid(at, spec, `spec of '${name}'${but} must equal the fixed value`);
}
