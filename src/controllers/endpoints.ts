import { conditionOf } from '../api/conditions.ts';
import { isEqualSemantically } from '../api/equal.ts';
import { endpoints as endpointsKind } from '../api/kinds/endpoints.ts';
import { type Pod, pod as podKind } from '../api/kinds/pod.ts';
import { service as serviceKind } from '../api/kinds/service.ts';
import { isStatus } from '../base/errors.ts';
import type { Running } from '../base/lifecycle.ts';
import { type Change, keyOf } from '../client/cache.ts';
import { hasLabels } from '../scheduler/labels.ts';
import { type Context, runController, source } from './controller.ts';
import { plan } from './endpoints/plan.ts';
import { TriggerTimes } from './endpointslice/trigger-times.ts';
import { keyOfMeta } from './owner.ts';

/** Keeps the Endpoints of every Service with a selector, for those who do not read EndpointSlices. */
export function run(context: Context): Running {
  const { client, informers } = context;
  const services = informers.of(serviceKind);
  const pods = informers.of(podKind);
  const endpoints = informers.of(endpointsKind);

  const triggerTimes = new TriggerTimes();

  const servicesOf = (pod: Pod): string[] =>
    services
      .byIndex('namespace', pod.metadata?.namespace ?? '')
      .filter(({ spec }) => selects(spec?.selector, pod))
      .map(keyOf);
  const keysForPod = (change: Change<Pod>): string[] => {
    if (change.type !== 'modified') return servicesOf(change.object);
    const { object, previous } = change;
    if (isEqualSemantically(shown(object), shown(previous))) return [];
    return [...new Set([...servicesOf(object), ...servicesOf(previous)])];
  };

  async function reconcile(key: string): Promise<undefined> {
    const service = services.get(key);
    const present = endpoints.get(key);
    if (!service) {
      triggerTimes.forget(key);
      // A new object of the same name, without a Service, is somebody else's.
      if (present && forgotten.delete(key))
        await ignoreGone(client.delete(endpointsKind, keyOfMeta(present.metadata!)));
      return;
    }
    const { selector, type } = service.spec ?? {};
    if (service.metadata?.deletionTimestamp || type === 'ExternalName') return;
    if (!selector || Object.keys(selector).length === 0) return;
    const selected = pods
      .byIndex('namespace', service.metadata!.namespace!)
      .filter((pod) => selects(selector, pod));
    const triggerTime = triggerTimes.next(key, service, selected);
    const wanted = plan({ service, pods: selected, present, triggerTime });
    if (!wanted) return;
    if (present) await client.update(endpointsKind, wanted);
    else await client.create(endpointsKind, wanted);
  }

  /** Services that are gone, whose Endpoints go too. */
  const forgotten = new Set<string>();
  return runController(context, {
    name: 'endpoints',
    sources: [
      source(serviceKind, ({ key, type }) => {
        if (type === 'deleted') forgotten.add(key);
        else forgotten.delete(key);
        return [key];
      }),
      source(podKind, keysForPod),
      source(endpointsKind, ({ key, type }) => (type === 'added' ? [] : [key])),
    ],
    reconcile,
  });
}

function selects(selector: Readonly<Record<string, string>> | undefined, pod: Pod): boolean {
  if (!selector || Object.keys(selector).length === 0) return false;
  return hasLabels(selector, pod.metadata?.labels);
}

/** What of a pod shows in Endpoints. */
function shown(pod: Pod) {
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

async function ignoreGone(deletion: Promise<void>): Promise<void> {
  await deletion.catch((error: unknown) => {
    if (!isStatus(error, 'NotFound')) throw error;
  });
}
