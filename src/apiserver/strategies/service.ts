import { invalid } from '../../api/invalid.ts';
import type { Service } from '../../api/kinds/service.ts';
import { hasHealthCheck, isExposed, service as kind } from '../../api/kinds/service.ts';
import { goValue } from '../../api/report.ts';
import { StatusError } from '../../base/errors.ts';
import type { AddressPool } from './address-pool.ts';
import type { PortPool } from './port-pool.ts';
import type { Strategy } from './strategy.ts';

interface Pools {
  addresses: AddressPool;
  ports: PortPool;
}

/** Services get an address of the service network and, where their type has them, node ports. */
export function createServiceStrategy(pools: Pools): Strategy<Service> {
  return {
    answersDeleteWithObject: true,
    prepareCreate(service) {
      service.status = { loadBalancer: {} };
    },
    prepareUpdate(next, previous) {
      keepAllocations(next, previous);
      dropUnused(next, previous);
    },
    admit: fillAddresses,
    allocate(next, previous) {
      const steps: (() => void)[] = [];
      const undo = () => {
        for (const step of steps.splice(0).reverse()) step();
      };
      try {
        allocateAddress(pools.addresses, next, previous, steps);
        allocatePorts(pools.ports, next, previous, steps);
        allocateHealthCheckPort(pools.ports, next, previous, steps);
      } catch (error) {
        undo();
        throw error;
      }
      return { undo, keep: () => previous && releaseAll(pools, previous, next) };
    },
    removed: (service) => releaseAll(pools, service),
  };
}

/** Marks what a Service in the store holds as taken. */
export function adoptService(pools: Pools, service: Service): void {
  const { clusterIP } = service.spec ?? {};
  if (clusterIP && clusterIP !== 'None') pools.addresses.take(clusterIP);
  for (const port of nodePortsOf(service)) pools.ports.take(port);
}

/** Gives back what a Service holds and `next` does not. */
function releaseAll(pools: Pools, service: Service, next?: Service): void {
  const { clusterIP } = service.spec ?? {};
  if (clusterIP && clusterIP !== 'None' && clusterIP !== next?.spec?.clusterIP)
    pools.addresses.release(clusterIP);
  const kept = next ? nodePortsOf(next) : [];
  for (const port of nodePortsOf(service)) if (!kept.includes(port)) pools.ports.release(port);
}

const hasAddress = (service: Service) => service.spec?.type !== 'ExternalName';
const hasNodePorts = (service: Service) =>
  service.spec?.type === 'NodePort' ||
  (service.spec?.type === 'LoadBalancer' && service.spec.allocateLoadBalancerNodePorts !== false);

/** What is said of addresses in one way is said in the other too, and by whom nobody asks. */
function fillAddresses({ spec }: Service): void {
  if (!spec) return;
  if (spec.clusterIP && !spec.clusterIPs?.length) spec.clusterIPs = [spec.clusterIP];
  else if (!spec.clusterIP && spec.clusterIPs?.[0]) spec.clusterIP = spec.clusterIPs[0];
  if (spec.type === 'ExternalName') return;
  spec.ipFamilies ??= ['IPv4'];
  spec.ipFamilyPolicy ??= 'SingleStack';
}

/** Of the pool of node ports, all that a Service holds. */
function nodePortsOf(service: Service): number[] {
  const { ports = [], healthCheckNodePort } = service.spec ?? {};
  const ofPorts = ports.flatMap((port) => (port.nodePort ? [port.nodePort] : []));
  return healthCheckNodePort ? [...ofPorts, healthCheckNodePort] : ofPorts;
}

/** What the Service's type no longer has, and its writer left as it was, goes. */
function dropUnused({ spec: next }: Service, { spec: previous }: Service): void {
  if (!next || !previous) return;
  const drop = (
    field:
      | 'externalTrafficPolicy'
      | 'healthCheckNodePort'
      | 'allocateLoadBalancerNodePorts'
      | 'loadBalancerClass',
  ) => {
    if (next[field] === previous[field]) delete next[field];
  };
  if (!isExposed(next)) drop('externalTrafficPolicy');
  if (!hasHealthCheck(next)) drop('healthCheckNodePort');
  else if (hasHealthCheck(previous)) next.healthCheckNodePort ||= previous.healthCheckNodePort!;
  if (next.type === 'LoadBalancer') return;
  drop('allocateLoadBalancerNodePorts');
  drop('loadBalancerClass');
}

/** A client that sends a Service without its address or node ports keeps them, as with kubectl replace. */
function keepAllocations(next: Service, previous: Service): void {
  if (!next.spec || !previous.spec) return;
  if (hasAddress(next) && hasAddress(previous)) {
    next.spec.clusterIP ||= previous.spec.clusterIP!;
    if (!next.spec.clusterIPs?.length && previous.spec.clusterIPs)
      next.spec.clusterIPs = [...previous.spec.clusterIPs];
  }
  if (!hasNodePorts(next)) {
    if (!hasNodePorts(previous)) return;
    for (const port of next.spec.ports ?? []) {
      if (nodePortsOf(previous).includes(port.nodePort ?? 0)) delete port.nodePort;
    }
    return;
  }
  for (const port of next.spec.ports ?? []) {
    const same = previous.spec.ports?.find(
      (old) => old.port === port.port && (old.protocol ?? 'TCP') === (port.protocol ?? 'TCP'),
    );
    if (!port.nodePort && same?.nodePort) port.nodePort = same.nodePort;
  }
}

function allocateAddress(
  addresses: AddressPool,
  next: Service,
  previous: Service | undefined,
  undo: (() => void)[],
): void {
  const spec = next.spec!;
  const held = previous && hasAddress(previous) ? previous.spec?.clusterIP : undefined;
  if (!hasAddress(next)) {
    delete spec.clusterIP;
    delete spec.clusterIPs;
  } else {
    const wanted = spec.clusterIP || spec.clusterIPs?.[0];
    if (wanted === 'None' || (wanted !== undefined && wanted === held)) {
      spec.clusterIP = wanted;
    } else if (wanted) {
      const refusal = addresses.take(wanted);
      if (refusal) throw refused(next, 'spec.clusterIPs', [wanted], refusal);
      undo.push(() => addresses.release(wanted));
      spec.clusterIP = wanted;
    } else {
      const free = addresses.takeAny();
      undo.push(() => addresses.release(free));
      spec.clusterIP = free;
    }
    spec.clusterIPs = [spec.clusterIP!];
  }
}

function allocatePorts(
  ports: PortPool,
  next: Service,
  previous: Service | undefined,
  undo: (() => void)[],
): void {
  const held = previous ? nodePortsOf(previous) : [];
  for (const [index, port] of (next.spec?.ports ?? []).entries()) {
    if (port.nodePort && held.includes(port.nodePort)) continue;
    if (port.nodePort) {
      const wanted = port.nodePort;
      const refusal = ports.take(wanted);
      if (refusal) throw refused(next, `spec.ports[${index}].nodePort`, wanted, refusal);
      undo.push(() => ports.release(wanted));
    } else if (hasNodePorts(next)) {
      const free = ports.takeAny();
      port.nodePort = free;
      undo.push(() => ports.release(free));
    }
  }
}

/** The port at which balancers outside ask each node. */
function allocateHealthCheckPort(
  ports: PortPool,
  { spec: next }: Service,
  previous: Service | undefined,
  undo: (() => void)[],
): void {
  if (!next || !hasHealthCheck(next)) return;
  const wanted = next.healthCheckNodePort;
  if (wanted && wanted === previous?.spec?.healthCheckNodePort) return;
  const refusal = wanted ? ports.take(wanted) : undefined;
  if (refusal) {
    const text = `failed to allocate requested HealthCheck NodePort ${wanted}: ${refusal}`;
    throw new StatusError('InternalError', text);
  }
  const port = wanted || ports.takeAny();
  next.healthCheckNodePort = port;
  undo.push(() => ports.release(port));
}

function refused(service: Service, field: string, value: unknown, why: string) {
  return invalid(kind, service.metadata?.name ?? '', [
    { reason: 'FieldValueInvalid', message: `Invalid value: ${goValue(value)}: ${why}`, field },
  ]);
}
