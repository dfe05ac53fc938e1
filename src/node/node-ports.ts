import { service as serviceKind } from '../api/addresses.ts';
import type { Service } from '../api/kinds/service.ts';
import { type EventRecorder, subjectOf } from '../client/events.ts';
import type { ListenerSpec, ListenerState } from './runtimes/shim/client.ts';

/** The node ports that every node answers for, this one at its own address. Pure. */
export function nodePortsFor(services: Service[], nodeIP: string): ListenerSpec[] {
  return services.flatMap((service) => {
    const { name = '', namespace = '', deletionTimestamp } = service.metadata ?? {};
    const { type, ports = [], externalTrafficPolicy } = service.spec ?? {};
    if ((type !== 'NodePort' && type !== 'LoadBalancer') || deletionTimestamp) return [];
    const localOnly = externalTrafficPolicy === 'Local';
    return ports.flatMap(({ port, nodePort, protocol = 'TCP' }) =>
      nodePort && protocol === 'TCP'
        ? [{ namespace, service: name, port, ip: nodeIP, nodePort, ...(localOnly && { localOnly }) }]
        : [],
    );
  });
}

/** Tells once of each node port that somebody else has on this node; a load balancer has an address of its own. */
export class NodePortReports {
  readonly #told = new Set<string>();

  report(states: ListenerState[], options: { services: Service[]; recorder: EventRecorder }): void {
    const failed = states.filter(({ nodePort, boundPort }) => nodePort && boundPort === 0);
    const keys = new Set(failed.map(keyOf));
    for (const key of this.#told) if (!keys.has(key)) this.#told.delete(key);
    for (const state of failed) {
      const service = options.services.find(
        ({ metadata }) => metadata?.namespace === state.namespace && metadata.name === state.service,
      );
      if (service?.spec?.type !== 'NodePort' || this.#told.has(keyOf(state))) continue;
      this.#told.add(keyOf(state));
      const why = state.problem ? ` (${state.problem})` : '';
      const message = `${state.ip}:${state.nodePort} could not be bound${why}; this node does not answer on it`;
      options.recorder.record(subjectOf(serviceKind, service), 'Warning', 'PortUnavailable', message);
    }
  }
}

const keyOf = ({ namespace, service, nodePort }: ListenerState): string =>
  `${namespace}/${service}:${nodePort}`;
