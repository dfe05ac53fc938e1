import { service as serviceKind } from '../api/addresses.ts';
import { isContained } from '../api/equal.ts';
import type { Service } from '../api/kinds/service.ts';
import { messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Client } from '../client/client.ts';
import { type EventRecorder, subjectOf } from '../client/events.ts';
import type { ListenerSpec, ListenerState } from './runtimes/shim/client.ts';

export const nodeAnnotation = 'selvage.dev/load-balancer-node';
export const ipAnnotation = 'selvage.dev/load-balancer-ip';
export const addressAnnotation = 'selvage.dev/load-balancer-address';

/** The LoadBalancer ports that this node answers for, by the annotations that the service controller wrote. Pure. */
export function listenersFor(services: Service[], nodeName: string): ListenerSpec[] {
  return services.flatMap((service) => {
    const { name = '', namespace = '', annotations = {}, deletionTimestamp } = service.metadata ?? {};
    const ip = annotations[ipAnnotation];
    const isOurs = service.spec?.type === 'LoadBalancer' && annotations[nodeAnnotation] === nodeName;
    if (!isOurs || !ip || deletionTimestamp) return [];
    const localOnly = service.spec?.externalTrafficPolicy === 'Local';
    return (service.spec?.ports ?? [])
      .filter(({ protocol = 'TCP' }) => protocol === 'TCP')
      .map(({ port }) => ({ namespace, service: name, port, ip, ...(localOnly && { localOnly }) }));
  });
}

/** What a Service should show of its listeners. Pure. */
export function shownAddress(states: ListenerState[]): {
  ingress: { ip: string; ports: { port: number; protocol: 'TCP' }[] }[];
  /** `ip:port` where another than the asked port was taken. */
  address: string | undefined;
} {
  const byIP = Map.groupBy(states, ({ boundIP }) => boundIP);
  const ingress = [...byIP].map(([ip, bound]) => ({
    ip,
    ports: bound.map(({ boundPort }) => ({ port: boundPort, protocol: 'TCP' as const })),
  }));
  const moved = states.find(({ boundIP, boundPort, ip, port }) => boundIP !== ip || boundPort !== port);
  return { ingress, address: moved && `${moved.boundIP}:${moved.boundPort}` };
}

/** Writes to the Services where they can be reached, and tells when a port had to be another one. */
export async function reportListeners(
  states: ListenerState[],
  options: {
    services: Service[];
    client: Client;
    recorder: EventRecorder;
    log: Log;
  },
): Promise<void> {
  const byService = Map.groupBy(states, ({ namespace, service }) => `${namespace}/${service}`);
  for (const service of options.services) {
    const { namespace = '', name = '' } = service.metadata ?? {};
    const own = byService.get(`${namespace}/${name}`);
    if (!own) continue;
    await report(service, own, options).catch((error: unknown) => {
      options.log.warn('service address not reported', { service: name, error: messageOf(error) });
      throw error;
    });
  }
}

async function report(
  service: Service,
  states: ListenerState[],
  { client, recorder }: { client: Client; recorder: EventRecorder },
): Promise<void> {
  const { namespace, name = '', annotations = {} } = service.metadata!;
  const { ingress, address } = shownAddress(states);
  if (annotations[addressAnnotation] !== address) {
    const body = { metadata: { annotations: { [addressAnnotation]: address ?? null } } };
    await client.patch(serviceKind, { namespace, name }, { type: 'merge', body });
    for (const { ip, port, boundIP, boundPort, problem } of states) {
      if (boundIP === ip && boundPort === port) continue;
      const why = problem ? ` (${problem})` : '';
      const message = `${ip}:${port} could not be bound${why}; listening on ${boundIP}:${boundPort} instead`;
      recorder.record(subjectOf(serviceKind, service), 'Warning', 'PortUnavailable', message);
    }
  }
  const shown = service.status?.loadBalancer?.ingress ?? [];
  if (isContained(ingress, shown)) return;
  const body = { status: { loadBalancer: { ingress } } };
  await client.patch(serviceKind, { namespace, name }, { type: 'merge', body }, { subresource: 'status' });
}
