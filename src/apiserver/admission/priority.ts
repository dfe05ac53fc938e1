import type { Pod } from '../../api/kinds/pod.ts';
import type { PriorityClass } from '../../api/kinds/priorityClass.ts';
import type { HeldObjects } from '../held-objects.ts';
import type { AdmissionPlugin, AdmissionRequest } from './chain.ts';
import { only } from './handles.ts';
import { refused } from './refusal.ts';

const isPodWrite = only('pods', 'CREATE', 'UPDATE');
const isClassWrite = only('priorityclasses.scheduling.k8s.io', 'CREATE', 'UPDATE');

/**
 * Gives pods the priority that their class says, and lets only one class be the default.
 * Source: https://kubernetes.io/docs/concepts/scheduling-eviction/pod-priority-preemption/
 */
export function priorityPlugin(classes: HeldObjects<PriorityClass>): AdmissionPlugin {
  return {
    name: 'Priority',
    handles: (...write) => isPodWrite(...write) || isClassWrite(...write),
    mutate(request) {
      if (request.resource.kind.plural === 'priorityclasses') return;
      // What `handles` lets through beside classes are pods.
      const pod = request.object as Pod;
      if (request.operation === 'CREATE') prioritize(request, pod, classes);
      else keepPriority(pod, request.oldObject as Pod);
    },
    validate(request) {
      if (request.resource.kind.plural === 'priorityclasses') checkDefault(request, classes);
    },
  };
}

function prioritize(request: AdmissionRequest, { spec }: Pod, classes: HeldObjects<PriorityClass>): void {
  if (!spec) return;
  const named = spec.priorityClassName;
  const found = named ? classes.get(named) : defaultOf(classes.all());
  if (named && !found) throw refused(request, `no PriorityClass with name ${named} was found`);
  if (!named && found) spec.priorityClassName = found.metadata!.name!;
  const priority = found?.value ?? 0;
  const policy = found?.preemptionPolicy ?? 'PreemptLowerPriority';
  if (spec.priority !== undefined && spec.priority !== priority) {
    const what = `the integer value of priority (${spec.priority})`;
    throw refused(request, `${what} must not be provided in pod spec; ${computed} ${priority} ${fromClass}`);
  }
  if (spec.preemptionPolicy !== undefined && spec.preemptionPolicy !== policy) {
    const what = `the string value of PreemptionPolicy (${spec.preemptionPolicy})`;
    throw refused(request, `${what} must not be provided in pod spec; ${computed} ${policy} ${fromClass}`);
  }
  spec.priority = priority;
  spec.preemptionPolicy = policy;
}

const computed = 'priority admission controller computed';
const fromClass = 'from the given PriorityClass name';

/** Should there be several, the least wins. */
function defaultOf(classes: readonly PriorityClass[]): PriorityClass | undefined {
  const defaults = classes.filter(({ globalDefault }) => globalDefault);
  return defaults.sort((a, b) => (a.value ?? 0) - (b.value ?? 0))[0];
}

/** A client that sends a pod without them does not mean to change them. */
function keepPriority({ spec }: Pod, { spec: held }: Pod): void {
  if (!spec || !held) return;
  if (held.priority !== undefined) spec.priority ??= held.priority;
  if (held.preemptionPolicy !== undefined) spec.preemptionPolicy ??= held.preemptionPolicy;
}

function checkDefault(request: AdmissionRequest, classes: HeldObjects<PriorityClass>): void {
  if (!(request.object as PriorityClass).globalDefault) return;
  const present = defaultOf(classes.all())?.metadata?.name;
  if (present === undefined || (request.operation === 'UPDATE' && present === request.name)) return;
  throw refused(request, `PriorityClass ${present} is already marked as default. Only one default can exist`);
}
