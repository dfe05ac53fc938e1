import type { Pod } from '../api/kinds/pod.ts';
import type { Filter, Refusal } from './filter.ts';
import type { NodeState } from './node-state.ts';

export interface HostPort {
  ip: string;
  protocol: string;
  port: number;
}

const anyAddress = '0.0.0.0';
const none: readonly HostPort[] = [];
const refusal: Refusal = {
  reasons: ["node(s) didn't have free ports for the requested pod ports"],
  isFinal: false,
};

/** The ports of the node that a pod takes; with `hostNetwork` the API server has set one for each container port. */
export function hostPortsOf(pod: Pod): readonly HostPort[] {
  const sidecars = (pod.spec?.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always');
  const found = [...(pod.spec?.containers ?? []), ...sidecars].flatMap(({ ports = [] }) =>
    ports
      .filter(({ hostPort }) => hostPort)
      .map(({ hostIP, protocol, hostPort }) => ({
        ip: hostIP || anyAddress,
        protocol: protocol || 'TCP',
        port: hostPort!,
      })),
  );
  return found.length > 0 ? found : none;
}

/** NodePorts: an address, protocol and port is given once a node; 0.0.0.0 overlaps with every address. */
export function hostPortsFilter(wanted: readonly HostPort[]): Filter | undefined {
  if (wanted.length === 0) return undefined;
  return { plugin: 'NodePorts', check: (state) => (isTaken(wanted, state) ? refusal : undefined) };
}

export function portsCollide(wanted: readonly HostPort[], taken: readonly HostPort[]): boolean {
  return wanted.some(({ port, protocol, ip }) =>
    taken.some(
      (other) =>
        other.port === port &&
        other.protocol === protocol &&
        (other.ip === ip || other.ip === anyAddress || ip === anyAddress),
    ),
  );
}

function isTaken(wanted: readonly HostPort[], { pods }: NodeState): boolean {
  for (const { ports } of pods.values()) if (ports.length > 0 && portsCollide(wanted, ports)) return true;
  return false;
}
