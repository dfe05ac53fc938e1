import { quantityNumber } from '../../api/quantity.ts';
import { StatusError } from '../../base/errors.ts';
import { allContainersOf, type Container, type PodRecord } from './record.ts';

export interface NodeFacts {
  name: string;
  hostIP: string;
  /** What a container without limits may use, in cores and bytes. */
  cpuCores: number;
  memoryBytes: number;
}

/** The downward API: the value of a pod's field, such as `metadata.name` or `metadata.labels['app']`. */
export function fieldValue(record: PodRecord, node: NodeFacts, fieldPath: string): string {
  const { metadata, spec } = record.pod;
  const keyed = /^metadata\.(labels|annotations)\['(.+)'\]$/.exec(fieldPath);
  if (keyed) return metadata?.[keyed[1] as 'labels' | 'annotations']?.[keyed[2]!] ?? '';
  const values: Record<string, () => string> = {
    'metadata.name': () => record.name,
    'metadata.namespace': () => record.namespace,
    'metadata.uid': () => record.uid,
    'metadata.labels': () => lines(metadata?.labels),
    'metadata.annotations': () => lines(metadata?.annotations),
    'spec.nodeName': () => node.name,
    'spec.serviceAccountName': () => spec?.serviceAccountName ?? 'default',
    'status.hostIP': () => node.hostIP,
    'status.hostIPs': () => node.hostIP,
    'status.podIP': () => record.ip ?? '',
    'status.podIPs': () => record.ip ?? '',
  };
  const value = values[fieldPath];
  if (!value) throw new StatusError('Invalid', `unsupported fieldPath: ${fieldPath}`);
  return value();
}

export interface ResourceReference {
  resource: string;
  containerName?: string | undefined;
  divisor?: string | undefined;
}

/** A container's limit or request, divided by the divisor and rounded up; without a limit, what the node has. */
export function resourceValue(
  record: PodRecord,
  container: Container,
  node: NodeFacts,
  reference: ResourceReference,
): string {
  const { containerName } = reference;
  const target = containerName
    ? allContainersOf(record).find(({ name }) => name === containerName)
    : container;
  if (!target) throw new StatusError('Invalid', `container ${containerName} not found`);
  const match = /^(limits|requests)\.(cpu|memory|ephemeral-storage)$/.exec(reference.resource);
  if (!match) throw new StatusError('Invalid', `unsupported container resource: ${reference.resource}`);
  const [, kind, resource] = match as unknown as [string, 'limits' | 'requests', string];
  const { limits, requests } = target.resources ?? {};
  const asked = kind === 'limits' ? limits?.[resource] : (requests?.[resource] ?? limits?.[resource]);
  const fallback = { cpu: node.cpuCores, memory: node.memoryBytes }[resource] ?? 0;
  const amount = asked === undefined ? (kind === 'limits' ? fallback : 0) : quantityNumber(String(asked));
  const divisor = quantityNumber(reference.divisor ?? '1') || 1;
  return String(Math.ceil(amount / divisor - 1e-9));
}

/** `key="value"` lines, sorted, as the downward API writes labels and annotations. */
function lines(map: Record<string, string> = {}): string {
  return Object.keys(map)
    .sort()
    .map((key) => `${key}=${JSON.stringify(map[key])}`)
    .join('\n');
}
