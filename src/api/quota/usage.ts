import type { PersistentVolumeClaim } from '../kinds/persistentVolumeClaim.ts';
import type { Pod } from '../kinds/pod.ts';
import type { Service } from '../kinds/service.ts';
import type { KubeObject } from '../object.ts';
import { storageClassOf } from '../storage-class.ts';
import { podLimits, podRequests } from './pod-resources.ts';

/** Amounts by the names that quotas have for them. */
export type Amounts = Record<string, string>;

interface Counted {
  group: string;
  plural: string;
}

/** Kinds whose count has a name of its own beside `count/…`. */
const named = [
  'configmaps',
  'persistentvolumeclaims',
  'replicationcontrollers',
  'resourcequotas',
  'secrets',
  'services',
];

/** `count/pods`, `count/deployments.apps`. */
export function countName({ group, plural }: Counted): string {
  return `count/${group === '' ? plural : `${plural}.${group}`}`;
}

/** What an object takes of quotas. Source: https://kubernetes.io/docs/concepts/policy/resource-quotas/ */
export function usageOf(kind: Counted, object: KubeObject, nowMs: number): Amounts {
  const usage: Amounts = { [countName(kind)]: '1' };
  if (kind.group !== '') return usage;
  if (named.includes(kind.plural)) usage[kind.plural] = '1';
  // What is of a kind has its form.
  if (kind.plural === 'pods') return { ...usage, ...podUsage(object as Pod, nowMs) };
  if (kind.plural === 'services') return { ...usage, ...serviceUsage(object as Service) };
  if (kind.plural === 'persistentvolumeclaims')
    return { ...usage, ...claimUsage(object as PersistentVolumeClaim) };
  return usage;
}

/** Whether quotas of this name may speak of objects of the kind. */
export function isNameOf(kind: Counted, name: string): boolean {
  if (name === countName(kind)) return true;
  if (kind.group !== '') return false;
  if (kind.plural === 'pods') return isPodResource(name);
  if (kind.plural === 'services') return name === 'services' || name.startsWith('services.');
  if (kind.plural === 'persistentvolumeclaims') {
    return ['persistentvolumeclaims', 'requests.storage'].includes(name) || name.includes(storageClassInfix);
  }
  return named.includes(kind.plural) && name === kind.plural;
}

const computed = ['cpu', 'memory', 'ephemeral-storage'];

function isPodResource(name: string): boolean {
  if (name === 'pods' || computed.includes(name) || name.startsWith('hugepages-')) return true;
  if (name === 'requests.storage' || name.includes(storageClassInfix)) return false;
  return name.startsWith('requests.') || name.startsWith('limits.');
}

/** A pod that has ended, or should be gone by now, takes nothing but its place in the store. */
function podUsage(pod: Pod, nowMs: number): Amounts {
  const { phase } = pod.status ?? {};
  const { deletionTimestamp, deletionGracePeriodSeconds } = pod.metadata ?? {};
  if (phase === 'Failed' || phase === 'Succeeded') return {};
  if (deletionTimestamp && deletionGracePeriodSeconds !== undefined) {
    if (nowMs > Date.parse(deletionTimestamp) + deletionGracePeriodSeconds * 1000) return {};
  }
  return { pods: '1', ...computeUsage(podRequests(pod), podLimits(pod)) };
}

/** Requests and limits by the names that quotas have for them. */
export function computeUsage(requests: Amounts, limits: Amounts): Amounts {
  const usage: Amounts = {};
  for (const [name, amount] of Object.entries(requests)) {
    usage[`requests.${name}`] = amount;
    if (computed.includes(name) || name.startsWith('hugepages-')) usage[name] = amount;
  }
  for (const [name, amount] of Object.entries(limits)) {
    if (computed.includes(name)) usage[`limits.${name}`] = amount;
  }
  return usage;
}

function serviceUsage({ spec }: Service): Amounts {
  const ports = spec?.ports ?? [];
  if (spec?.type === 'NodePort') return { 'services.nodeports': String(ports.length) };
  if (spec?.type !== 'LoadBalancer') return {};
  const own = ports.filter(({ nodePort }) => nodePort);
  const nodePorts = spec.allocateLoadBalancerNodePorts === false ? own.length : ports.length;
  return { 'services.nodeports': String(nodePorts), 'services.loadbalancers': '1' };
}

const storageClassInfix = '.storageclass.storage.k8s.io/';

function claimUsage(claim: PersistentVolumeClaim): Amounts {
  const storage = claim.spec?.resources?.requests?.storage;
  const prefix = `${storageClassOf(claim) ?? ''}${storageClassInfix}`;
  const hasClass = !prefix.startsWith('.');
  return {
    ...(hasClass && { [`${prefix}persistentvolumeclaims`]: '1' }),
    ...(storage && { 'requests.storage': storage }),
    ...(storage && hasClass && { [`${prefix}requests.storage`]: storage }),
  };
}
