import { templateColumns } from '../columns/workload.ts';
import { humanDuration } from '../duration.ts';
import { isEqualSemantically } from '../equal.ts';
import { immutable } from '../immutable.ts';
import { defineKind, kindSchema, type ObjectOf } from '../kind.ts';
import { labelSelectorText, matchesLabels, requirementsOf } from '../label-selector.ts';
import { dns1123Label } from '../names.ts';
import { backoffLimitMost, type JobSpec, jobSpec } from '../parts/job.ts';
import type { Path } from '../path.ts';
import type { Report } from '../report.ts';
import {
  integer,
  list,
  object,
  oneOf,
  refine,
  required,
  setList,
  string,
  type TypeOf,
  time,
} from '../schema.ts';
import { ageColumn, nameColumn } from '../table.ts';

export type { JobSpec } from '../parts/job.ts';

export const jobCondition = object('io.k8s.api.batch.v1.JobCondition', {
  lastProbeTime: time({ doc: 'When it was checked last.' }),
  lastTransitionTime: time({ doc: 'When its status changed last.' }),
  message: string({ doc: 'Why, for people.' }),
  reason: string({ doc: 'Why, in one word, for programs.' }),
  status: required(oneOf(['True', 'False', 'Unknown'], { doc: 'True, False or Unknown.' })),
  type: required(string({ doc: 'Complete, Failed, Suspended, SuccessCriteriaMet or FailureTarget.' })),
});
export type JobCondition = TypeOf<typeof jobCondition>;

export const uncountedTerminatedPods = object('io.k8s.api.batch.v1.UncountedTerminatedPods', {
  failed: setList(string(), { doc: 'UIDs of failed pods.', mergeKey: undefined }),
  succeeded: setList(string(), { doc: 'UIDs of succeeded pods.', mergeKey: undefined }),
});

export const jobStatus = object('io.k8s.api.batch.v1.JobStatus', {
  active: integer({ doc: 'Pods that are pending or running.' }),
  completedIndexes: string({ doc: 'Indexes that have succeeded, e.g. 1,3-5.' }),
  completionTime: time({ doc: 'When it completed.' }),
  conditions: list(jobCondition, { doc: 'What became of it.', mergeKey: 'type' }),
  failed: integer({ doc: 'Pods that have failed.' }),
  failedIndexes: string({ doc: 'Indexes that have failed, e.g. 1,3-5.' }),
  ready: integer({ doc: 'Pods that are ready.' }),
  startTime: time({ doc: 'When it was started or resumed.' }),
  succeeded: integer({ doc: 'Pods that have succeeded.' }),
  terminating: integer({ doc: 'Pods that are about to end.' }),
  uncountedTerminatedPods: refine(uncountedTerminatedPods, {
    doc: 'Pods that have ended and are not in the counts yet.',
  }),
});
export type JobStatus = TypeOf<typeof jobStatus>;

const schema = kindSchema(
  'io.k8s.api.batch.v1.Job',
  { apiVersion: 'batch/v1', kind: 'Job' },
  {
    spec: refine(jobSpec, { default: {}, complete: completeJobSpec }),
    status: jobStatus,
  },
  { doc: 'Job runs pods until enough of them have succeeded.', complete: takeLabels },
);

export interface Job extends ObjectOf<typeof schema> {}

export const job = defineKind<Job>({
  group: 'batch',
  version: 'v1',
  kind: 'Job',
  plural: 'jobs',
  categories: ['all'],
  namespaced: true,
  schema,
  subresources: { status: true },
  columns: [
    nameColumn,
    { name: 'Status', doc: 'Whether it runs, and what became of it.', value: statusText },
    { name: 'Completions', doc: 'Pods that have succeeded of those wanted.', value: completionsText },
    { name: 'Duration', doc: 'How long it ran.', value: durationText },
    ageColumn,
    ...templateColumns,
  ],
  selectableFields: { 'status.successful': ({ status }) => String(status?.succeeded ?? 0) },
  check: checkJob,
  checkUpdate: checkJobUpdate,
});

function completeJobSpec(spec: JobSpec): void {
  if (spec.completions === undefined && spec.parallelism === undefined) spec.completions = 1;
  spec.parallelism ??= 1;
  spec.backoffLimit ??= spec.backoffLimitPerIndex === undefined ? 6 : backoffLimitMost;
  spec.completionMode ??= 'NonIndexed';
  spec.suspend ??= false;
  spec.manualSelector ??= false;
  spec.podReplacementPolicy ??= spec.podFailurePolicy ? 'Failed' : 'TerminatingOrFailed';
}

/** A Job without labels has those of its template. */
function takeLabels(object: Record<string, unknown>): void {
  // The schema has given the fields these types.
  const { metadata, spec } = object as Job;
  const labels = spec?.template?.metadata?.labels;
  if (labels && Object.keys(metadata?.labels ?? {}).length === 0) {
    object.metadata = { ...metadata, labels: { ...labels } };
  }
}

function statusText({ metadata, status }: Job): string {
  const has = (type: string) =>
    status?.conditions?.some((condition) => condition.type === type && condition.status === 'True');
  if (has('Complete')) return 'Complete';
  if (has('Failed')) return 'Failed';
  if (metadata?.deletionTimestamp) return 'Terminating';
  for (const type of ['Suspended', 'FailureTarget', 'SuccessCriteriaMet']) if (has(type)) return type;
  return 'Running';
}

function completionsText({ spec, status }: Job): string {
  const succeeded = status?.succeeded ?? 0;
  if (spec?.completions !== undefined) return `${succeeded}/${spec.completions}`;
  const parallelism = spec?.parallelism ?? 0;
  return parallelism > 1 ? `${succeeded}/1 of ${parallelism}` : `${succeeded}/1`;
}

function durationText({ status }: Job, nowMs: number): string {
  if (!status?.startTime) return '';
  const endMs = status.completionTime ? Date.parse(status.completionTime) : nowMs;
  return humanDuration(endMs - Date.parse(status.startTime));
}

function checkJob({ metadata, spec }: Job, report: Report, root: Path): void {
  const at = root.child('spec');
  if (!spec?.selector) report.required(at.child('selector'));
  else checkSelector(spec, metadata?.uid, at, report);
  if (spec?.completionMode === 'Indexed' && (spec.completions ?? 0) > 0) {
    const host = `${metadata?.name}-${spec.completions! - 1}`;
    for (const wrong of dns1123Label(host)) {
      const message = `will not able to create pod with invalid DNS label: ${host}: ${wrong}`;
      report.invalid(root.child('metadata').child('name'), metadata?.name, message);
    }
  }
}

export const controllerUidLabel = 'batch.kubernetes.io/controller-uid';
export const jobNameLabel = 'batch.kubernetes.io/job-name';

function checkSelector(spec: JobSpec, uid: string | undefined, at: Path, report: Report): void {
  const { selector, template } = spec;
  const labels = template.metadata?.labels;
  const labelsAt = at.child('template').child('metadata').child('labels');
  if (!matchesLabels(requirementsOf(selector!), labels)) {
    report.invalid(labelsAt, labels ?? {}, '`selector` does not match template `labels`');
  }
  if (spec.manualSelector || uid === undefined) return;
  const legacy = `controller-uid=${uid}`;
  const text = labelSelectorText(selector);
  if (text !== `${controllerUidLabel}=${uid}` && text !== legacy) {
    report.invalid(at.child('selector'), selector, '`selector` not auto-generated');
  }
}

const fixed = [
  'backoffLimitPerIndex',
  'completionMode',
  'managedBy',
  'podFailurePolicy',
  'selector',
  'successPolicy',
] as const;

/** The template is as it was created; where its pods go may change while it is suspended and never started. */
function checkJobUpdate(next: Job, previous: Job, report: Report, root: Path): void {
  const at = root.child('spec');
  const [after, before] = [next.spec, previous.spec];
  if (!after || !before) return;
  for (const field of fixed) immutable(after[field], before[field], at.child(field), report);
  const isElastic =
    after.completionMode === 'Indexed' &&
    after.completions !== undefined &&
    before.completions !== undefined &&
    after.completions === after.parallelism;
  if (!isElastic && after.completions !== before.completions) {
    report.invalid(at.child('completions'), after.completions, 'field is immutable');
  }
  const isWaiting = before.suspend === true && previous.status?.startTime === undefined;
  const essence = (template: JobSpec['template']) => (isWaiting ? withoutPlacement(template) : template);
  if (!isEqualSemantically(essence(after.template), essence(before.template))) {
    report.invalid(at.child('template'), after.template, 'field is immutable');
  }
}

function withoutPlacement({ spec }: JobSpec['template']): object {
  const { nodeSelector: _n, affinity, tolerations: _t, schedulingGates: _g, ...rest } = spec!;
  return { ...rest, affinity: { ...affinity, nodeAffinity: undefined } };
}
