import { podColumns } from '../columns/pod.ts';
import { isEqualSemantically } from '../equal.ts';
import { defineKind, kindSchema, type ObjectOf } from '../kind.ts';
import type { Container } from '../parts/container.ts';
import { type PodSpec, podSpec } from '../parts/podSpec.ts';
import { podStatus } from '../parts/podStatus.ts';
import type { Path } from '../path.ts';
import type { Report } from '../report.ts';
import { refine } from '../schema.ts';

const schema = kindSchema(
  'io.k8s.api.core.v1.Pod',
  { apiVersion: 'v1', kind: 'Pod' },
  {
    spec: refine(podSpec, { default: {}, complete: completePodSpec }),
    status: podStatus,
  },
  'Pod is one or more containers that run together on one node.',
);

export interface Pod extends ObjectOf<typeof schema> {}

export const pod = defineKind<Pod>({
  group: '',
  version: 'v1',
  kind: 'Pod',
  plural: 'pods',
  shortNames: ['po'],
  categories: ['all'],
  namespaced: true,
  schema,
  subresources: { status: true },
  columns: podColumns,
  selectableFields: {
    'spec.nodeName': (pod) => pod.spec?.nodeName ?? '',
    'spec.restartPolicy': (pod) => pod.spec?.restartPolicy ?? '',
    'spec.schedulerName': (pod) => pod.spec?.schedulerName ?? '',
    'spec.serviceAccountName': (pod) => pod.spec?.serviceAccountName ?? '',
    'spec.hostNetwork': (pod) => String(pod.spec?.hostNetwork ?? false),
    'status.phase': (pod) => pod.status?.phase ?? '',
    'status.podIP': (pod) => pod.status?.podIP ?? '',
    'status.podIPs': (pod) => pod.status?.podIPs?.[0]?.ip ?? '',
    'status.nominatedNodeName': (pod) => pod.status?.nominatedNodeName ?? '',
  },
  statusWritesMetadata: true,
  countsGenerations: false,
  check({ spec }, report, root) {
    if (spec === undefined) report.required(root.child('spec').child('containers'));
    else checkImages(spec, root.child('spec'), report);
  },
  checkCreate({ spec }, report, root) {
    const at = root.child('spec').child('ephemeralContainers');
    if (spec?.ephemeralContainers?.length) report.forbidden(at, 'cannot be set on create');
  },
  checkUpdate: checkPodUpdate,
});

/** Of a template, where it may be an old mistake, Kubernetes lets it through. */
function checkImages(spec: PodSpec, at: Path, report: Report): void {
  for (const field of ['containers', 'initContainers', 'ephemeralContainers'] as const) {
    for (const [index, { image }] of (spec[field] ?? []).entries()) {
      if (!image || image === image.trim()) continue;
      const why = 'must not have leading or trailing whitespace';
      report.invalid(at.child(field).index(index).child('image'), image, why);
    }
  }
}

// Only a pod gets these; in a template they stay as they were written.
function completePodSpec(spec: PodSpec): void {
  podSpec.complete?.(spec);
  spec.enableServiceLinks ??= true;
  if ((spec.terminationGracePeriodSeconds ?? 0) < 0) spec.terminationGracePeriodSeconds = 1;
  for (const { resources } of [...(spec.containers ?? []), ...(spec.initContainers ?? [])]) {
    if (resources?.limits) resources.requests = { ...resources.limits, ...resources.requests };
  }
}

const podUpdateRule =
  'pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)';

function checkPodUpdate(next: Pod, previous: Pod, report: Report, root: Path): void {
  const at = root.child('spec');
  const [after, before] = [next.spec, previous.spec];
  if (!after || !before) return;
  for (const field of ['containers', 'initContainers'] as const) {
    if ((after[field]?.length ?? 0) !== (before[field]?.length ?? 0)) {
      report.forbidden(at.child(field), 'pod updates may not add or remove containers');
      return;
    }
  }
  checkDeadline(after, before, at, report);
  checkTolerations(after, before, at, report);
  if (!isEqualSemantically(withoutMutable(after), withoutMutable(before)))
    report.forbidden(at, podUpdateRule);
}

const deadlineMax = 2 ** 31 - 1;

function checkDeadline(after: PodSpec, before: PodSpec, at: Path, report: Report): void {
  const [seconds, limit] = [after.activeDeadlineSeconds, before.activeDeadlineSeconds];
  const deadlineAt = at.child('activeDeadlineSeconds');
  // Kubernetes checks it once as that of any pod and once as that of a changed one.
  if (seconds !== undefined && (seconds < 0 || seconds > deadlineMax)) {
    report.invalid(deadlineAt, seconds, `must be between 0 and ${deadlineMax}, inclusive`);
    return;
  }
  if (limit === undefined || seconds === limit) return;
  if (seconds === undefined)
    report.invalid(deadlineAt, null, 'must not update from a positive integer to nil value');
  else if (seconds > limit)
    report.invalid(deadlineAt, seconds, `must be less than or equal to previous value`);
}

function checkTolerations(after: PodSpec, before: PodSpec, at: Path, report: Report): void {
  const kept = (before.tolerations ?? []).every((old) =>
    after.tolerations?.some((each) =>
      isEqualSemantically({ ...each, tolerationSeconds: 0 }, { ...old, tolerationSeconds: 0 }),
    ),
  );
  if (!kept)
    report.forbidden(
      at.child('tolerations'),
      'existing toleration can not be modified except its tolerationSeconds',
    );
}

function withoutMutable(spec: PodSpec): object {
  const {
    activeDeadlineSeconds: _deadline,
    tolerations: _tolerations,
    schedulingGates: _gates,
    ...rest
  } = spec;
  const withoutImage = (containers: Container[] = []) => containers.map((each) => ({ ...each, image: '' }));
  return {
    ...rest,
    containers: withoutImage(spec.containers),
    initContainers: withoutImage(spec.initContainers),
    ephemeralContainers: spec.ephemeralContainers ?? [],
  };
}
