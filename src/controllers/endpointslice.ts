import { conditionOf } from '../api/conditions.ts';
import { isEqualSemantically } from '../api/equal.ts';
import { type EndpointSlice, endpointSlice as endpointSliceKind } from '../api/kinds/endpointSlice.ts';
import { type Node, node as nodeKind } from '../api/kinds/node.ts';
import { type Pod, pod as podKind } from '../api/kinds/pod.ts';
import { service as serviceKind } from '../api/kinds/service.ts';
import { isStatus } from '../base/errors.ts';
import type { Running } from '../base/lifecycle.ts';
import { type Change, keyOf } from '../client/cache.ts';
import { meshAddressAnnotation } from '../mesh/compile.ts';
import { hasLabels } from '../scheduler/labels.ts';
import { type Context, runController, source } from './controller.ts';
import { managedBy, managedByLabel, plan, serviceNameLabel } from './endpointslice/plan.ts';
import { TriggerTimes, withTriggerTime } from './endpointslice/trigger-times.ts';
import { Expectations } from './expectations.ts';
import { keyOfMeta } from './owner.ts';

const zoneLabel = 'topology.kubernetes.io/zone';

/** Keeps the EndpointSlices of every Service with a selector. */
export function run(context: Context): Running {
  const { client, clock, informers } = context;
  const services = informers.of(serviceKind);
  const pods = informers.of(podKind);
  const nodes = informers.of(nodeKind);
  const slices = informers.of(endpointSliceKind);
  const expectations = new Expectations(clock);
  const triggerTimes = new TriggerTimes();

  const servicesOf = (pod: Pod): string[] =>
    services
      .byIndex('namespace', pod.metadata?.namespace ?? '')
      .filter(({ spec }) => selects(spec?.selector, pod))
      .map(keyOf);
  const keysForPod = (change: Change<Pod>): string[] => {
    if (change.type !== 'modified') return servicesOf(change.object);
    const { object, previous } = change;
    if (isEqualSemantically(relevant(object), relevant(previous))) return [];
    return [...new Set([...servicesOf(object), ...servicesOf(previous)])];
  };
  const keysForSlice = (change: Change<EndpointSlice>): string[] => {
    const { labels = {}, namespace } = change.object.metadata ?? {};
    const key = `${namespace}/${labels[serviceNameLabel]}`;
    if (labels[managedByLabel] !== managedBy) return [];
    if (change.type === 'added') expectations.creationSeen(key);
    return [key];
  };
  const keysForNode = (change: Change<Node>): string[] => {
    if (change.type === 'modified' && !isReachedOtherwise(change.previous, change.object)) return [];
    return [...new Set(pods.byIndex('node', change.key).flatMap(servicesOf))];
  };

  async function reconcile(key: string): Promise<undefined> {
    const service = services.get(key);
    if (!service || service.metadata?.deletionTimestamp) {
      expectations.forget(key);
      triggerTimes.forget(key);
      return;
    }
    // The slices that we have just made call again when they are seen.
    if (!expectations.areMet(key)) return;
    const { name, namespace = '' } = service.metadata ?? {};
    const { selector, type } = service.spec ?? {};
    const isOurs = type !== 'ExternalName' && selector && Object.keys(selector).length > 0;
    const present = slices
      .byIndex('namespace', namespace)
      .filter(({ metadata }) =>
        hasLabels({ [serviceNameLabel]: name ?? '', [managedByLabel]: managedBy }, metadata?.labels),
      );
    const selected = isOurs
      ? pods.byIndex('namespace', namespace).filter((pod) => selects(selector, pod))
      : [];
    const todo = isOurs
      ? plan({ service, pods: selected, nodeOf: (node) => nodes.get(node), slices: present })
      : { create: [], update: [], delete: present };

    const time = triggerTimes.next(key, service, selected);
    if (todo.create.length > 0) expectations.expectCreations(key, todo.create.length);
    for (const slice of todo.update) await client.update(endpointSliceKind, stamped(slice, time));
    for (const slice of todo.create) {
      await client.create(endpointSliceKind, stamped(slice, time)).catch((error: unknown) => {
        expectations.forget(key);
        throw error;
      });
    }
    for (const { metadata } of todo.delete) {
      await client.delete(endpointSliceKind, keyOfMeta(metadata ?? {})).catch((error: unknown) => {
        if (!isStatus(error, 'NotFound')) throw error;
      });
    }
  }

  return runController(context, {
    name: 'endpointslice',
    sources: [
      source(serviceKind, ({ key }) => [key]),
      source(podKind, keysForPod),
      source(nodeKind, keysForNode),
      source(endpointSliceKind, keysForSlice),
    ],
    reconcile,
  });
}

function selects(selector: Readonly<Record<string, string>> | undefined, pod: Pod): boolean {
  if (!selector || Object.keys(selector).length === 0) return false;
  return hasLabels(selector, pod.metadata?.labels);
}

function stamped(slice: EndpointSlice, time: string | undefined): EndpointSlice {
  const annotations = withTriggerTime(slice.metadata?.annotations, time);
  return { ...slice, metadata: { ...slice.metadata, annotations } };
}

/** What of a pod shows in an EndpointSlice. */
function relevant(pod: Pod) {
  const { metadata, spec, status } = pod;
  return {
    labels: metadata?.labels,
    isTerminating: Boolean(metadata?.deletionTimestamp),
    nodeName: spec?.nodeName,
    podIP: status?.podIP,
    phase: status?.phase,
    ready: conditionOf(pod, 'Ready')?.status,
  };
}

/** Whether slices say something else of the node now. */
function isReachedOtherwise({ metadata: before }: Node, { metadata: after }: Node): boolean {
  return (
    before?.labels?.[zoneLabel] !== after?.labels?.[zoneLabel] ||
    before?.annotations?.[meshAddressAnnotation] !== after?.annotations?.[meshAddressAnnotation]
  );
}
