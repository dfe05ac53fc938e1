import type { KindDefinition } from '../api/kind.ts';
import type { KubeList, KubeObject } from '../api/object.ts';
import { toTable } from '../api/table.ts';
import type { WatchEvent } from '../client/transport.ts';
import type { Representation } from './negotiate.ts';

/** Turns an answer into what the client asked for: itself, a Table, or metadata only. */
export function represent(
  kind: KindDefinition,
  answer: object,
  wanted: Representation,
  nowMs: number,
): object {
  if (wanted.as === 'object' || (answer as KubeObject).kind === 'Status') return answer;
  const isList = Array.isArray((answer as KubeList).items);
  if (wanted.as === 'metadata') {
    if (!isList) return partial(answer as KubeObject, wanted.metaVersion);
    const list = answer as KubeList;
    return {
      apiVersion: `meta.k8s.io/${wanted.metaVersion}`,
      kind: 'PartialObjectMetadataList',
      metadata: list.metadata,
      items: list.items.map((item) => partial(item, wanted.metaVersion)),
    };
  }
  const items = isList ? (answer as KubeList).items : [answer as KubeObject];
  const metadata = isList ? (answer as KubeList).metadata : revisionOf(answer as KubeObject);
  return tableOf(kind, items, metadata, wanted, nowMs);
}

/** Turns each event's object; column definitions go out with the first only, as Kubernetes does it. */
export async function* representEvents(
  kind: KindDefinition,
  events: AsyncIterable<WatchEvent>,
  wanted: Representation,
  now: () => number,
): AsyncGenerator<WatchEvent> {
  let isFirst = true;
  for await (const event of events) {
    if (event.type === 'ERROR') {
      yield event;
    } else if (wanted.as === 'metadata') {
      yield { type: event.type, object: partial(event.object, wanted.metaVersion) };
    } else {
      const rows = event.type === 'BOOKMARK' ? [] : [event.object];
      const metadata = revisionOf(event.object);
      const table = tableOf(kind, rows, metadata, wanted, now());
      yield {
        type: event.type,
        object: (isFirst ? table : { ...table, columnDefinitions: null }) as KubeObject,
      };
      isFirst = false;
    }
  }
}

function revisionOf({ metadata }: KubeObject): { resourceVersion?: string } {
  return metadata?.resourceVersion === undefined ? {} : { resourceVersion: metadata.resourceVersion };
}

function tableOf(
  kind: KindDefinition,
  items: readonly KubeObject[],
  metadata: KubeList['metadata'],
  wanted: Representation,
  nowMs: number,
): object {
  const apiVersion = `meta.k8s.io/${wanted.metaVersion}`;
  return toTable(kind, items, { includeObject: wanted.includeObject, nowMs, metadata, apiVersion });
}

function partial(object: KubeObject, metaVersion: string): KubeObject {
  return {
    apiVersion: `meta.k8s.io/${metaVersion}`,
    kind: 'PartialObjectMetadata',
    metadata: object.metadata ?? {},
  };
}
