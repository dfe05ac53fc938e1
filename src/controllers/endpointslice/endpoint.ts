import type { Endpoint, EndpointPort } from '../../api/kinds/endpointSlice.ts';
import type { Node } from '../../api/kinds/node.ts';
import type { Pod } from '../../api/kinds/pod.ts';
import type { Service } from '../../api/kinds/service.ts';
import { hasPodEnded } from '../../api/pod-ended.ts';
import { isPodReady } from '../pods.ts';

const zoneLabel = 'topology.kubernetes.io/zone';

/** The pod as an endpoint of the Service; undefined while it has no address, or when it has ended. */
export function endpointOf(
  pod: Pod,
  service: Service,
  nodeOf: (name: string) => Node | undefined,
): Endpoint | undefined {
  const { podIP } = pod.status ?? {};
  if (!podIP || hasPodEnded(pod)) return undefined;
  const { name = '', namespace = '', uid = '' } = pod.metadata ?? {};
  const { nodeName, hostname, subdomain } = pod.spec ?? {};
  const isServing = isPodReady(pod);
  const isTerminating = Boolean(pod.metadata?.deletionTimestamp);
  const zone = nodeName ? nodeOf(nodeName)?.metadata?.labels?.[zoneLabel] : undefined;
  return {
    addresses: [podIP],
    conditions: {
      ready: service.spec?.publishNotReadyAddresses === true || (isServing && !isTerminating),
      serving: isServing,
      terminating: isTerminating,
    },
    ...(hostname && subdomain === service.metadata?.name && { hostname }),
    ...(nodeName && { nodeName }),
    targetRef: { kind: 'Pod', namespace, name, uid },
    ...(zone && { zone }),
  };
}

/** The Service's ports as this pod has them; a named port that the pod lacks is left out. */
export function portsFor(pod: Pod, service: Service): EndpointPort[] {
  const ports: EndpointPort[] = [];
  for (const { name = '', port, protocol = 'TCP', targetPort, appProtocol } of service.spec?.ports ?? []) {
    const number =
      typeof targetPort === 'string' ? namedPort(pod, targetPort, protocol) : (targetPort ?? port);
    if (number === undefined) continue;
    ports.push({ name, port: number, protocol, ...(appProtocol && { appProtocol }) });
  }
  return ports;
}

function namedPort(pod: Pod, name: string, protocol: string): number | undefined {
  const { containers = [], initContainers = [] } = pod.spec ?? {};
  const sidecars = initContainers.filter(({ restartPolicy }) => restartPolicy === 'Always');
  return [...containers, ...sidecars]
    .flatMap(({ ports = [] }) => ports)
    .find((port) => port.name === name && (port.protocol ?? 'TCP') === protocol)?.containerPort;
}
