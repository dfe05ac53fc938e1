import { isIP } from 'node:net';
import { type Endpoints, endpoints as endpointsKind } from '../../api/kinds/endpoints.ts';
import { type Pod, pod as podKind } from '../../api/kinds/pod.ts';
import { type Service, service as serviceKind } from '../../api/kinds/service.ts';
import { StatusError } from '../../base/errors.ts';
import type { Store } from '../../store/store.ts';
import { badRequest, notFound } from '../failures.ts';
import type { PodDial, PodPort } from '../service-dial.ts';
import { keyOf } from '../stored.ts';
import { type KubeletDial, kubeletRequest } from '../verbs/log.ts';
import { dialAddress, overTls, type Upstream } from './upstream.ts';

/** `NAME`, `NAME:PORT` or `SCHEME:NAME:PORT`. */
interface Target {
  scheme: 'http' | 'https' | '';
  name: string;
  port: string;
}

/** What the servers behind the API are reached with. */
export interface Reach {
  store: Store;
  dialPod: PodDial;
  kubelet: KubeletDial | undefined;
}

/** Finds what a `proxy` subresource leads to; throws as Kubernetes does where there is nothing. */
export async function locate(
  resource: 'pods' | 'services' | 'nodes',
  { namespace, id }: { namespace: string | undefined; id: string },
  reach: Reach,
): Promise<Upstream> {
  const target = splitSchemeNamePort(id);
  if (!target) throw badRequest(`invalid ${resource.slice(0, -1)} request ${JSON.stringify(id)}`);
  if (resource === 'nodes') return locateNode(target, reach);
  const at = resource === 'pods' ? locatePod : locateService;
  const pod = at(namespace!, target, reach, id);
  const connect = (signal: AbortSignal) => reach.dialPod(pod, signal);
  return upstreamOf(target.scheme, `${pod.ip}:${pod.port}`, connect);
}

/** Source: https://kubernetes.io/docs/tasks/access-application-cluster/access-cluster-services/ */
export function splitSchemeNamePort(id: string): Target | undefined {
  const parts = id.split(':');
  if (parts.length > 3) return undefined;
  const [scheme = '', name = '', port = ''] = parts.length === 3 ? parts : ['', ...parts];
  if (name === '' || (scheme !== '' && scheme !== 'http' && scheme !== 'https')) return undefined;
  return { scheme, name, port };
}

function locatePod(namespace: string, { scheme, name, port }: Target, { store }: Reach): PodPort {
  const stored = store.get(keyOf(podKind, namespace, name));
  if (!stored) throw notFound(podKind, name);
  const { spec, status } = stored.value as Pod;
  const first = spec?.containers.flatMap(({ ports = [] }) => ports)[0]?.containerPort;
  const ip = status?.podIP ?? '';
  if (isIP(ip) === 0) throw badRequest('address not allowed');
  const chosen = port === '' ? (first ?? usualPorts[scheme]) : portNumber(port);
  return { namespace, name, ip, port: chosen, nodeName: spec?.nodeName };
}

const usualPorts = { '': 80, http: 80, https: 443 };

function portNumber(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port > 0 && port <= 65535) return port;
  const why = `dial tcp: lookup tcp/${text}: unknown port`;
  throw new StatusError('ServiceUnavailable', `error trying to reach service: ${why}`);
}

/** One of a Service's ready pods; addresses that are no pods are left alone, as in Kubernetes. */
function locateService(namespace: string, { name, port }: Target, { store }: Reach, id: string): PodPort {
  let portName = port;
  if (/^[+-]?\d+$/.test(port)) {
    const stored = store.get(keyOf(serviceKind, namespace, name));
    if (!stored) throw notFound(serviceKind, name);
    const declared = (stored.value as Service).spec?.ports?.find((each) => each.port === Number(port));
    if (!declared)
      throw unavailable(`no service port ${Number(port)} found for service ${JSON.stringify(name)}`);
    portName = declared.name ?? '';
  }
  const stored = store.get(keyOf(endpointsKind, namespace, name));
  if (!stored) throw notFound(endpointsKind, name);
  const { subsets = [] } = stored.value as Endpoints;
  if (subsets.length === 0) throw unavailable(`no endpoints available for service ${JSON.stringify(name)}`);
  const found = subsets.flatMap(({ addresses = [], ports = [] }) => {
    const number = ports.find((each) => (each.name ?? '') === portName)?.port;
    return number === undefined ? [] : addresses.map((address) => ({ ...address, number }));
  });
  const pods = found.flatMap(({ ip, nodeName, targetRef, number }): PodPort[] => {
    const pod = targetRef?.kind === 'Pod' && targetRef.name;
    const isThere = pod && store.get(keyOf(podKind, namespace, pod));
    return isThere ? [{ namespace, name: pod, ip, port: number, nodeName }] : [];
  });
  const chosen = pods[Math.floor(Math.random() * pods.length)];
  if (!chosen) throw unavailable(`no endpoints available for service ${JSON.stringify(id)}`);
  return chosen;
}

/** The node's kubelet, or another port of its machine; never one of an address that only the machine itself has. */
async function locateNode({ scheme, name, port }: Target, { store, kubelet }: Reach): Promise<Upstream> {
  const own = await kubeletRequest({ store }, kubelet, name, '/');
  if (port === '' || port === String(own.port)) {
    const { ca, cert, key, host } = own;
    const tls = { ca, cert, key, ...(isIP(host) === 0 && { servername: host }), host };
    return {
      host: `${host}:${own.port}`,
      connect: async (signal) => overTls(await dialAddress(host, own.port, signal), tls),
    };
  }
  if (!isGlobalUnicast(own.host)) throw badRequest('address not allowed');
  const chosen = portNumber(port);
  return upstreamOf(scheme, `${own.host}:${chosen}`, (signal) => dialAddress(own.host, chosen, signal));
}

/** Go's net.IP.IsGlobalUnicast; names are not looked up, and refused. */
function isGlobalUnicast(address: string): boolean {
  if (isIP(address) === 4) {
    const [first = 0, second] = address.split('.').map(Number);
    const isLinkLocal = first === 169 && second === 254;
    return first !== 127 && first < 224 && !isLinkLocal && address !== '0.0.0.0';
  }
  if (isIP(address) !== 6) return false;
  return !/^(::1?$|fe[89ab]|ff|::ffff:)/i.test(address);
}

type Connect = Upstream['connect'];

/** What answers with TLS there is not asked who it is: nobody knows by whom its certificate should be signed. */
function upstreamOf(scheme: Target['scheme'], host: string, connect: Connect): Upstream {
  if (scheme !== 'https') return { host, connect };
  return {
    host,
    connect: async (signal) => overTls(await connect(signal), { rejectUnauthorized: false }),
  };
}

function unavailable(message: string): StatusError {
  return new StatusError('ServiceUnavailable', message);
}
