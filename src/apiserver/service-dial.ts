import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { type EndpointSlice, endpointSlice } from '../api/kinds/endpointSlice.ts';
import { type Service, service as serviceKind } from '../api/kinds/service.ts';
import type { Store } from '../store/store.ts';
import { keyOf, prefixOf } from './stored.ts';

/** A port of a pod, as an EndpointSlice names it. */
export interface PodPort {
  namespace: string;
  name: string;
  ip: string;
  port: number;
  nodeName: string | undefined;
}

/** Connects to a port of a pod. */
export type PodDial = (pod: PodPort, signal: AbortSignal) => Promise<Duplex>;

/** Connects to a port of a Service; rejects with why not. */
export type ServiceDial = (
  service: { namespace: string; name: string; port: number },
  signal: AbortSignal,
) => Promise<Duplex>;

/** Reaches Services through their EndpointSlices: pods by `dialPod`, every other address, and ExternalName, directly. */
export function serviceDial(store: Store, dialPod: PodDial): ServiceDial {
  return async ({ namespace, name, port }, signal) => {
    const service = store.get(keyOf(serviceKind, namespace, name))?.value as Service | undefined;
    if (!service) throw new Error(`service "${name}" not found`);
    const { connect } = await import('node:net');
    if (service.spec?.type === 'ExternalName') {
      const socket = connect({ host: service.spec.externalName!, port, signal });
      await once(socket, 'connect', { signal });
      return socket;
    }
    const index = (service.spec?.ports ?? []).findIndex((each) => each.port === port);
    if (index < 0) throw new Error(`no service port ${port} found for service "${name}"`);
    const portName = service.spec!.ports![index]!.name ?? '';
    const endpoints = endpointsOf(store, namespace, name, portName);
    const chosen = endpoints[Math.floor(Math.random() * endpoints.length)];
    if (!chosen) throw new Error(`no endpoints available for service "${name}"`);
    if (chosen.podName !== undefined) return dialPod({ ...chosen, namespace, name: chosen.podName }, signal);
    const socket = connect({ host: chosen.ip, port: chosen.port, signal });
    await once(socket, 'connect', { signal });
    return socket;
  };
}

function endpointsOf(store: Store, namespace: string, name: string, portName: string) {
  const slices = store
    .list(prefixOf(endpointSlice, namespace))
    .items.map(({ value }) => value as EndpointSlice)
    .filter(({ metadata }) => metadata?.labels?.['kubernetes.io/service-name'] === name);
  return slices.flatMap(({ endpoints = [], ports = [] }) => {
    const port = ports.find((each) => (each.name ?? '') === portName)?.port;
    if (port === undefined) return [];
    return endpoints
      .filter(({ conditions }) => conditions?.ready !== false)
      .flatMap(({ addresses, nodeName, targetRef }) => {
        const podName = targetRef?.kind === 'Pod' ? targetRef.name : undefined;
        return addresses.map((ip) => ({ ip, port, nodeName, podName }));
      });
  });
}
