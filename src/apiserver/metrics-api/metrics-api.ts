import type { Pod } from '../../api/kinds/pod.ts';
import type { KubeObject } from '../../api/object.ts';
import { toTime } from '../../base/clock.ts';
import { StatusError } from '../../base/errors.ts';
import type { Call, Context } from '../context.ts';
import { noSuchPath, notFound } from '../failures.ts';
import { readListOptions } from '../options.ts';
import { objectOf } from '../stored.ts';
import { selectionOf } from '../verbs/match.ts';
import type { Measured, NodeUsage, Usage } from './node-usage.ts';

export const metricsGroup = 'metrics.k8s.io';
const version = 'v1beta1';
const apiVersion = `${metricsGroup}/${version}`;

/** What discovery tells of `metrics.k8s.io`. */
export const metricsKinds = [
  { group: metricsGroup, version, kind: 'NodeMetrics', plural: 'nodes', namespaced: false },
  { group: metricsGroup, version, kind: 'PodMetrics', plural: 'pods', namespaced: true },
];

/** Answers `kubectl top`: what nodes and pods use, asked of the nodes now. `call.resource` is that of the real nodes or pods. */
export async function answerMetrics(context: Context, usage: NodeUsage, call: Call): Promise<KubeObject> {
  const { info, request } = call;
  if (info.version !== version || info.subresource !== undefined) throw noSuchPath();
  if (info.verb !== 'get' && info.verb !== 'list') {
    throw new StatusError('MethodNotAllowed', 'metrics are read with get and list only');
  }
  const kind = metricsKinds.find(({ plural }) => plural === info.resource);
  if (!kind) throw noSuchPath();
  const selection = selectionOf(call, readListOptions(request.query));
  const stored = context.store.list(selection.prefix).items;
  const objects = stored.map((stored) => objectOf(stored)).filter((object) => selection.matches(object));
  const items =
    kind.kind === 'NodeMetrics'
      ? await nodeMetrics(usage, objects, request.signal)
      : await podMetrics(usage, objects as Pod[], request.signal);
  if (info.verb === 'list')
    return { apiVersion, kind: `${kind.kind}List`, metadata: {}, items } as KubeObject;
  const [one] = items;
  if (one) return one;
  // As metrics-server tells what is not there from what has not been measured yet.
  if (objects.length === 0) throw notFound({ ...kind, group: '' }, info.name!);
  const name = info.namespace ? `${info.namespace}/${info.name}` : info.name!;
  throw notFound({ ...kind, plural: kind.kind.toLowerCase() }, name);
}

async function nodeMetrics(
  usage: NodeUsage,
  nodes: readonly KubeObject[],
  signal: AbortSignal | undefined,
): Promise<KubeObject[]> {
  const used = await usage.of(
    nodes.map((node) => node.metadata!.name!),
    signal,
  );
  return nodes.flatMap((node) => {
    const ofNode = used.get(node.metadata!.name!);
    if (!ofNode?.node) return [];
    return { ...headOf('NodeMetrics', node, ofNode), usage: quantities(ofNode.node) } as KubeObject;
  });
}

async function podMetrics(
  usage: NodeUsage,
  pods: readonly Pod[],
  signal: AbortSignal | undefined,
): Promise<KubeObject[]> {
  const names = new Set(pods.flatMap(({ spec }) => spec?.nodeName ?? []));
  const used = await usage.of([...names], signal);
  return pods.flatMap((pod) => {
    const ofNode = used.get(pod.spec?.nodeName ?? '');
    const { namespace, name } = pod.metadata!;
    const all = [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])];
    const containers = all.flatMap((container) => {
      const measured = ofNode?.containers.get(`${namespace}/${name}/${container.name}`);
      return measured ? { name: container.name, usage: quantities(measured) } : [];
    });
    // One that has just been started, or has ended, uses nothing that could be told.
    if (!ofNode || containers.length === 0) return [];
    return { ...headOf('PodMetrics', pod, ofNode), containers } as KubeObject;
  });
}

function headOf(kind: string, { metadata }: KubeObject, { atMs, windowMs }: Usage): object {
  const { name, namespace, labels } = metadata!;
  const shown = { name, ...(namespace && { namespace }), ...(labels && { labels }) };
  return {
    apiVersion,
    kind,
    metadata: { ...shown, creationTimestamp: toTime(atMs) },
    timestamp: toTime(atMs),
    window: `${(windowMs / 1000).toFixed(3)}s`,
  };
}

function quantities({ cpuNanocores, memoryBytes }: Measured): { cpu: string; memory: string } {
  return { cpu: `${cpuNanocores}n`, memory: `${Math.round(memoryBytes / 1024)}Ki` };
}
