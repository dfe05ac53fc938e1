import { isEqualSemantically } from '../../../api/equal.ts';
import { invalid } from '../../../api/invalid.ts';
import { type Namespace, namespace as namespaceKind } from '../../../api/kinds/namespace.ts';
import { type Pod, pod as podKind } from '../../../api/kinds/pod.ts';
import type { KubeObject } from '../../../api/object.ts';
import type { PodTemplateSpec } from '../../../api/parts/podSpec.ts';
import type { StatusCause } from '../../../base/errors.ts';
import type { Store } from '../../../store/store.ts';
import { groupResource } from '../../failures.ts';
import { keyOf, prefixOf } from '../../stored.ts';
import type { AdmissionPlugin, AdmissionRequest } from '../chain.ts';
import { refused } from '../refusal.ts';
import { type Checked, checkedOf } from './check.ts';
import { details, evaluate, reasons } from './evaluate.ts';
import { isSameLevel, type LevelVersion, levels, policyOf, textOf, type WrongLabel } from './policy.ts';

/** More pods than these are not looked at when a namespace's level changes. */
export const checkedPodsMax = 3000;
const annotation = 'pod-security.kubernetes.io/';

const workloads = new Set([
  'replicationcontrollers',
  'podtemplates',
  'replicasets.apps',
  'deployments.apps',
  'statefulsets.apps',
  'daemonsets.apps',
  'jobs.batch',
  'cronjobs.batch',
]);

/**
 * Holds pods to the security level that their namespace's labels name. Workloads are only warned of: their pods are
 * refused. Source: https://kubernetes.io/docs/concepts/security/pod-security-admission/
 */
export function podSecurityPlugin(store: Store): AdmissionPlugin {
  const labelsOf = (name: string) =>
    (store.get(keyOf(namespaceKind, undefined, name))?.value as Namespace | undefined)?.metadata?.labels;
  return {
    name: 'PodSecurity',
    handles(operation, kind, subresource) {
      if (operation !== 'CREATE' && operation !== 'UPDATE') return false;
      if (kind.plural === 'pods' && kind.group === '') {
        return subresource === undefined || subresource === 'ephemeralcontainers';
      }
      return subresource === undefined && (kind === namespaceKind || workloads.has(groupResource(kind)));
    },
    validate(request) {
      const { kind } = request.resource;
      if (kind === namespaceKind) return checkNamespace(store, request);
      const labels = labelsOf(request.namespace!);
      if (!labels || !Object.keys(labels).some((label) => label.startsWith(annotation))) return;
      if (kind.plural === 'pods') checkPod(request, labels);
      else checkWorkload(request, labels);
    },
  };
}

type Labels = Record<string, string>;

function checkPod(request: AdmissionRequest, labels: Labels): void {
  const pod = request.object as Pod;
  if (!pod.spec || !isSignificant(pod, request.oldObject as Pod | undefined)) return;
  const { policy } = policyOf(labels);
  const checked = checkedOf(pod.metadata, pod.spec);
  request.annotateAudit(`${annotation}enforce-policy`, textOf(policy.enforce));
  audit(request, policy.audit, checked);
  const forbidden = evaluate(policy.enforce, checked);
  if (forbidden.length > 0) {
    throw refused(request, `violates PodSecurity "${textOf(policy.enforce)}": ${details(forbidden)}`);
  }
  warn(request, policy.warn, checked);
}

function checkWorkload(request: AdmissionRequest, labels: Labels): void {
  const template = templateOf(request.object!);
  if (!template?.spec) return;
  const { policy } = policyOf(labels);
  const checked = checkedOf(template.metadata, template.spec);
  audit(request, policy.audit, checked);
  warn(request, policy.warn, checked);
}

function audit(request: AdmissionRequest, level: LevelVersion, pod: Checked): void {
  const text = wouldViolate(level, pod);
  if (text !== undefined) request.annotateAudit(`${annotation}audit-violations`, text);
}

function warn(request: AdmissionRequest, level: LevelVersion, pod: Checked): void {
  const text = wouldViolate(level, pod);
  if (text !== undefined) request.warn(text);
}

function wouldViolate(level: LevelVersion, pod: Checked): string | undefined {
  const forbidden = evaluate(level, pod);
  return forbidden.length > 0
    ? `would violate PodSecurity "${textOf(level)}": ${details(forbidden)}`
    : undefined;
}

interface Workload {
  template?: PodTemplateSpec;
  spec?: { template?: PodTemplateSpec; jobTemplate?: { spec?: { template?: PodTemplateSpec } } };
}

function templateOf(object: KubeObject): PodTemplateSpec | undefined {
  const { spec, template } = object as Workload;
  return spec?.jobTemplate?.spec?.template ?? spec?.template ?? template;
}

/** What may be changed of a running pod and has nothing to do with its security is not judged anew. */
function isSignificant(pod: Pod, previous: Pod | undefined): boolean {
  if (!previous) return true;
  const relevant = ({ metadata, spec }: Pod) => {
    const { containers, initContainers, ephemeralContainers } = spec ?? {};
    const profiles = Object.entries(metadata?.annotations ?? {}).filter(([key]) =>
      /apparmor|seccomp/.test(key),
    );
    return { containers, initContainers, ephemeralContainers, profiles };
  };
  return !isEqualSemantically(relevant(pod), relevant(previous));
}

/** Labels that say nothing are refused; a stricter level warns of the pods that are there. */
function checkNamespace(store: Store, request: AdmissionRequest): void {
  const { metadata } = request.object!;
  const next = policyOf(metadata?.labels);
  const previous = policyOf(request.oldObject?.metadata?.labels);
  const isNew = !request.oldObject || !isEqualSemantically(next.wrong, previous.wrong);
  if (next.wrong.length > 0 && isNew) {
    throw invalid(namespaceKind, metadata!.name, next.wrong.map(causeOf));
  }
  if (!request.oldObject) return;
  const [to, from] = [next.policy.enforce, previous.policy.enforce];
  const isRelaxed = to.version === from.version && levels.indexOf(to.level) <= levels.indexOf(from.level);
  if (to.level === 'privileged' || isSameLevel(to, from) || isRelaxed) return;
  for (const warning of podWarnings(store, metadata!.name!, to)) request.warn(warning);
}

function causeOf({ label, value, why }: WrongLabel): StatusCause {
  return {
    reason: 'FieldValueInvalid',
    message: `Invalid value: ${JSON.stringify(value)}: ${why}`,
    field: `metadata.labels[${label}]`,
  };
}

function podWarnings(store: Store, namespace: string, level: LevelVersion): string[] {
  const page = store.list(prefixOf(podKind, namespace), { limit: checkedPodsMax });
  const found = new Map<string, string[]>();
  for (const { value } of page.items) {
    const { metadata, spec } = value as Pod;
    const why = spec ? reasons(evaluate(level, checkedOf(metadata, spec))) : '';
    if (why !== '') found.set(why, [...(found.get(why) ?? []), metadata!.name!]);
  }
  const warnings: string[] = [];
  if (page.remaining > 0) {
    const of = `the first ${page.items.length} of ${page.items.length + page.remaining} existing pods`;
    warnings.push(`new PodSecurity enforce level only checked against ${of}`);
  }
  if (found.size > 0) {
    const what = `existing pods in namespace "${namespace}" violate the new PodSecurity enforce level`;
    warnings.push(`${what} "${textOf(level)}"`);
  }
  return [...warnings, ...[...found].map(([why, names]) => `${summary(names)}: ${why}`).sort()];
}

function summary([first = '', ...others]: string[]): string {
  if (others.length === 0) return first;
  return `${first} (and ${others.length} other pod${others.length === 1 ? '' : 's'})`;
}
