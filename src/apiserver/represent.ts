import type { Column, KindDefinition } from '../api/kind.ts';
import type { KubeList, KubeObject } from '../api/object.ts';
import { ageColumn, nameColumn, toTable } from '../api/table.ts';
import type { WatchEvent } from '../client/transport.ts';
import type { ListAnswer, Listing } from './answer.ts';
import type { Representation } from './negotiate.ts';
import type { Scale } from './verbs/scale.ts';

/** Turns an object into what the client asked for: itself, a Table, or metadata only. */
export function represent(
  kind: KindDefinition,
  answer: object,
  wanted: Representation,
  nowMs: number,
): object {
  if (wanted.as === 'object' || (answer as KubeObject).kind === 'Status') return answer;
  const object = answer as KubeObject;
  if (wanted.as === 'metadata') return partial(object, wanted.metaVersion);
  const isScale = object.kind === 'Scale' && object.apiVersion === 'autoscaling/v1';
  const shown = isScale ? { ...kind, columns: scaleColumns } : kind;
  return tableOf(shown, [object], revisionOf(object), wanted, nowMs);
}

/** Of the scale subresource. */
const scaleColumns: Column<Scale>[] = [
  nameColumn,
  { name: 'Desired', type: 'integer', value: ({ spec }) => spec.replicas },
  { name: 'Available', type: 'integer', value: ({ status }) => status.replicas },
  ageColumn,
];

/** The same for a list, page by page. */
export function representList(
  kind: KindDefinition,
  { head, pages }: Listing,
  wanted: Representation,
  nowMs: number,
): Pick<ListAnswer, 'head' | 'member' | 'pages'> {
  if (wanted.as === 'object') return { head, member: 'items', pages };
  if (wanted.as === 'metadata') {
    const { metadata } = head;
    const apiVersion = `meta.k8s.io/${wanted.metaVersion}`;
    return {
      head: { apiVersion, kind: 'PartialObjectMetadataList', metadata },
      member: 'items',
      pages: mapped(pages, (page) => page.map((object) => partial(object, wanted.metaVersion))),
    };
  }
  const table = (page: readonly KubeObject[]) => tableOf(kind, page, head.metadata, wanted, nowMs);
  const { rows: _, ...tableHead } = table([]);
  return { head: tableHead, member: 'rows', pages: mapped(pages, (page) => table(page).rows) };
}

async function* mapped<T, R>(pages: AsyncIterable<T>, turn: (page: T) => R): AsyncGenerator<R> {
  for await (const page of pages) yield turn(page);
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
) {
  const apiVersion = `meta.k8s.io/${wanted.metaVersion}`;
  return toTable(kind, items, { includeObject: wanted.includeObject, nowMs, metadata, apiVersion });
}

/** All watchers of metadata share one such object a change, as they share the change. */
const partials = new Map<string, WeakMap<KubeObject, KubeObject>>(
  ['v1', 'v1beta1'].map((version) => [version, new WeakMap()]),
);

function partial(object: KubeObject, metaVersion: string): KubeObject {
  const known = partials.get(metaVersion)?.get(object);
  if (known) return known;
  const made = {
    apiVersion: `meta.k8s.io/${metaVersion}`,
    kind: 'PartialObjectMetadata',
    metadata: object.metadata ?? {},
  };
  partials.get(metaVersion)?.set(object, made);
  return made;
}
