import type { KindDefinition } from '../../api/kind.ts';
import type { KubeObject } from '../../api/object.ts';
import { apiVersionOf } from '../../api/object.ts';
import type { ListPage, Store, ListOptions as StoreListOptions } from '../../store/store.ts';
import { type Listing, once } from '../answer.ts';
import type { Call, Context } from '../context.ts';
import { badRequest } from '../failures.ts';
import { checkListOptions, type ListOptions, readListOptions } from '../options.ts';
import { objectOf } from '../stored.ts';
import { decodeToken, encodeToken, expired } from './continue-token.ts';
import { type Selection, selectionOf } from './match.ts';
import { readRevision, tooLarge } from './revision.ts';

/** How many objects are read from the store at a time, before others get their turn. */
export const pageObjects = 250;

/** Answers a list: a consistent snapshot, whole or in pages; without a limit it is read while it is sent. */
export function list(context: Context, call: Call): Listing {
  const options = readListOptions(call.request.query);
  checkListOptions(options);
  const { kind } = call.resource;
  const selection = selectionOf(call, options);
  const wanted = { kind, selection, limit: options.limit };
  const first = readPage(context.store, wanted, readStart(context.store, selection.prefix, options));
  const head = (metadata: object): Listing['head'] => ({
    apiVersion: apiVersionOf(kind),
    kind: kind.listKind ?? `${kind.kind}List`,
    metadata: { resourceVersion: String(first.revision), ...metadata },
  });
  if (options.limit === undefined) {
    return { head: head({}), pages: pagesFrom(context.store, wanted, first) };
  }
  const { items, next, remaining } = fill(context.store, { ...wanted, limit: options.limit }, first);
  const metadata = {
    ...(next !== undefined && {
      continue: encodeToken({ rv: first.revision, start: next }, selection.prefix),
    }),
    ...(remaining !== undefined && { remainingItemCount: remaining }),
  };
  return { head: head(metadata), pages: once(items) };
}

interface Start {
  after?: string;
  atRevision?: number;
}

function readStart(store: Store, prefix: string, options: ListOptions): Start {
  const { continueToken, resourceVersion, resourceVersionMatch, limit } = options;
  if (continueToken !== undefined) {
    if (resourceVersion !== undefined && resourceVersion !== '0') {
      throw badRequest('specifying resource version is not allowed when using continue');
    }
    const { rv, start } = decodeToken(continueToken, prefix);
    return { after: start, ...(rv > 0 && { atRevision: rv }) };
  }
  if (resourceVersion === undefined) return {};
  const revision = readRevision(resourceVersion);
  if (revision > store.revision()) throw tooLarge(revision, store.revision());
  // A limit with a revision and no match means exactly that one, as it always has.
  const isExact =
    resourceVersionMatch === 'Exact' || (resourceVersionMatch === undefined && limit !== undefined);
  return isExact && revision > 0 ? { atRevision: revision } : {};
}

interface Wanted {
  kind: KindDefinition;
  selection: Selection;
  limit: number | undefined;
}

/** Every page after the first is of the same revision. */
async function* pagesFrom(store: Store, wanted: Wanted, first: ListPage): AsyncGenerator<KubeObject[]> {
  let page = first;
  for (;;) {
    yield selected(page, wanted);
    if (page.next === undefined) return;
    await new Promise((resolve) => setImmediate(resolve));
    page = readPage(store, wanted, { after: page.next, atRevision: first.revision });
  }
}

function selected(page: ListPage, { kind, selection }: Wanted): KubeObject[] {
  const objects = page.items.map((stored) => objectOf(stored, kind));
  return selection.matchesAll ? objects : objects.filter((object) => selection.matches(object));
}

interface Filled {
  items: KubeObject[];
  next: string | undefined;
  remaining: number | undefined;
}

/** As many as the limit, with the key of the last one where there is more. */
function fill(store: Store, wanted: Wanted & { limit: number }, first: ListPage): Filled {
  const { kind, selection, limit } = wanted;
  const items: KubeObject[] = [];
  for (
    let page = first;
    ;
    page = readPage(store, wanted, { after: page.next!, atRevision: first.revision })
  ) {
    for (const [index, stored] of page.items.entries()) {
      const object = objectOf(stored, kind);
      if (!selection.matches(object)) continue;
      items.push(object);
      const isLast = index === page.items.length - 1 && page.next === undefined;
      if (items.length === limit && !isLast) {
        return { items, next: stored.key, remaining: selection.matchesAll ? page.remaining : undefined };
      }
    }
    if (page.next === undefined) return { items, next: undefined, remaining: undefined };
  }
}

function readPage(store: Store, { selection, limit }: Wanted, start: Start): ListPage {
  const isCounted = limit !== undefined && selection.matchesAll;
  const options: StoreListOptions = {
    ...start,
    limit: isCounted ? limit : pageObjects,
    countsRemaining: isCounted,
  };
  try {
    return store.list(selection.prefix, options);
  } catch (error) {
    throw expired(error, { ...start, prefix: selection.prefix });
  }
}
