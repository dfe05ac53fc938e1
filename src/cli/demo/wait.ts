import { isConditionTrue } from '../../api/conditions.ts';
import type { Deployment } from '../../api/kinds/deployment.ts';
import { deployment } from '../../api/kinds/deployment.ts';
import { type Pod, pod } from '../../api/kinds/pod.ts';
import { type Service, service } from '../../api/kinds/service.ts';
import type { KubeObject } from '../../api/object.ts';
import type { Client, KindAddress } from '../../client/index.ts';

/** Watches one object until `isDone` says so; the error after `timeoutMs` tells what it waited for and what it saw last. */
async function until<T extends KubeObject>(
  client: Client,
  kind: KindAddress<T>,
  options: {
    namespace: string;
    labelSelector?: string;
    fieldSelector?: string;
    timeoutMs: number;
    what: string;
    isDone: (object: T) => boolean;
    seen?: (object: T) => string;
  },
): Promise<T> {
  const { isDone, what, seen, timeoutMs, ...selection } = options;
  const signal = AbortSignal.timeout(timeoutMs);
  let last: T | undefined;
  while (!signal.aborted) {
    try {
      for await (const event of client.watch(kind, { ...selection, signal })) {
        if (event.type === 'ADDED' || event.type === 'MODIFIED') last = event.object;
        if (event.type !== 'BOOKMARK' && isDone(event.object)) return event.object;
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }
  const lastSeen = last ? (seen?.(last) ?? 'not done') : 'never seen';
  throw new Error(`waited ${timeoutMs / 1000} s for ${what}: ${lastSeen}`);
}

export function untilPodReady(
  client: Client,
  options: { namespace: string; labelSelector: string; timeoutMs: number },
): Promise<Pod> {
  const isDone = (object: Pod) => isConditionTrue(object, 'Ready');
  const seen = (object: Pod) =>
    JSON.stringify(object.status?.containerStatuses?.[0]?.state ?? object.status?.conditions);
  return until(client, pod, { ...options, what: `a Ready pod of ${options.labelSelector}`, isDone, seen });
}

export function untilDeploymentAvailable(
  client: Client,
  options: { namespace: string; name: string; timeoutMs: number },
): Promise<Deployment> {
  const { name, ...rest } = options;
  const isDone = ({ metadata, spec, status }: Deployment) =>
    status?.observedGeneration === metadata?.generation &&
    (status?.availableReplicas ?? 0) >= (spec?.replicas ?? 1);
  const seen = ({ spec, status }: Deployment) =>
    `${status?.availableReplicas ?? 0} of ${spec?.replicas} replicas available`;
  return until(client, deployment, {
    ...rest,
    fieldSelector: `metadata.name=${name}`,
    what: `Deployment "${name}"`,
    isDone,
    seen,
  });
}

/** Resolves to `http://address[:port]` of a LoadBalancer Service's first port. */
export async function untilLoadBalancer(
  client: Client,
  options: { namespace: string; name: string; timeoutMs: number },
): Promise<string> {
  const { name, ...rest } = options;
  const isDone = (object: Service) => object.status?.loadBalancer?.ingress?.[0]?.ip !== undefined;
  const found = await until(client, service, {
    ...rest,
    fieldSelector: `metadata.name=${name}`,
    what: `an address of Service "${name}"`,
    isDone,
  });
  const { ip, ports } = found.status!.loadBalancer!.ingress![0]!;
  const port = ports?.[0]?.port ?? found.spec!.ports![0]!.port;
  return `http://${ip}${port === 80 ? '' : `:${port}`}`;
}
