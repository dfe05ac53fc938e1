import type { KindDefinition } from '../../api/kind.ts';
import type { KubeList, KubeObject } from '../../api/object.ts';
import { apiVersionOf } from '../../api/object.ts';
import { isStatus, StatusError } from '../../base/errors.ts';
import type { ListPage, Store } from '../../store/store.ts';
import type { Call, Context } from '../context.ts';
import { badRequest } from '../failures.ts';
import { invalidListOption, type ListOptions, readListOptions } from '../options.ts';
import { objectOf } from '../stored.ts';
import { type Selection, selectionOf } from './match.ts';

/** How many objects one look into the store reads while a selector is filling a page. */
const chunkObjects = 500;

/** Answers a list: a consistent snapshot, whole or in pages. */
export function list(context: Context, call: Call): KubeList {
  const options = readListOptions(call.request.query);
  const selection = selectionOf(call, options);
  const start = readStart(context.store, selection.prefix, options);
  const { kind } = call.resource;
  const page = collect(context.store, { kind, selection, limit: options.limit }, start);
  return {
    apiVersion: apiVersionOf(kind),
    kind: kind.listKind ?? `${kind.kind}List`,
    metadata: {
      resourceVersion: String(page.revision),
      ...(page.next !== undefined && { continue: encodeToken({ rv: page.revision, start: page.next }) }),
      ...(page.remaining !== undefined && { remainingItemCount: page.remaining }),
    },
    items: page.items,
  };
}

interface Start {
  after?: string;
  atRevision?: number;
}

function readStart(store: Store, prefix: string, options: ListOptions): Start {
  const { continueToken, resourceVersion, resourceVersionMatch } = options;
  if (options.sendInitialEvents !== undefined) {
    throw invalidListOption('sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list');
  }
  if (continueToken !== undefined) {
    if (resourceVersion !== undefined && resourceVersion !== '0') {
      throw badRequest('specifying resource version is not allowed when using continue');
    }
    const { rv, start } = decodeToken(continueToken);
    if (!start.startsWith(prefix)) throw badRequest('continue key is not valid: it belongs to another list');
    return { after: start, atRevision: rv };
  }
  if (resourceVersion === undefined) {
    if (resourceVersionMatch === undefined) return {};
    throw invalidListOption(
      'resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided',
    );
  }
  const revision = readRevision(resourceVersion);
  if (resourceVersionMatch === 'Exact') {
    if (revision > 0) return { atRevision: revision };
    throw invalidListOption(
      'resourceVersionMatch: Forbidden: resourceVersionMatch "Exact" is forbidden for resourceVersion "0"',
    );
  }
  if (revision > store.revision()) throw tooLarge(revision, store.revision());
  return {};
}

/** A resourceVersion that a client sent, as the store's revision. */
export function readRevision(resourceVersion: string): number {
  if (/^\d{1,15}$/.test(resourceVersion)) return Number(resourceVersion);
  throw invalidListOption(
    `resourceVersion: Invalid value: ${JSON.stringify(resourceVersion)}: must be a number`,
  );
}

function tooLarge(revision: number, current: number): StatusError {
  return new StatusError('Timeout', `Too large resource version: ${revision}, current: ${current}`, {
    details: {
      causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
      retryAfterSeconds: 1,
    },
  });
}

interface Page {
  items: KubeObject[];
  revision: number;
  next: string | undefined;
  remaining: number | undefined;
}

interface Wanted {
  kind: KindDefinition;
  selection: Selection;
  limit: number | undefined;
}

function collect(store: Store, { kind, selection, limit }: Wanted, start: Start): Page {
  const items: KubeObject[] = [];
  let { after, atRevision } = start;
  for (;;) {
    const page = readPage(store, selection.prefix, {
      ...(limit !== undefined && { limit: selection.matchesAll ? limit : chunkObjects }),
      ...(after !== undefined && { after }),
      ...(atRevision !== undefined && { atRevision }),
    });
    atRevision = page.revision;
    for (const [index, stored] of page.items.entries()) {
      const object = objectOf(stored, kind);
      if (!selection.matches(object)) continue;
      items.push(object);
      const isLast = index === page.items.length - 1 && page.next === undefined;
      if (items.length === limit && !isLast) {
        const remaining = selection.matchesAll ? page.remaining + page.items.length - 1 - index : undefined;
        return { items, revision: page.revision, next: stored.key, remaining };
      }
    }
    if (page.next === undefined)
      return { items, revision: page.revision, next: undefined, remaining: undefined };
    after = page.next;
  }
}

function readPage(store: Store, prefix: string, options: Parameters<Store['list']>[1] & object): ListPage {
  try {
    return store.list(prefix, options);
  } catch (error) {
    if (!isStatus(error, 'Expired')) throw error;
    const text =
      options.after === undefined
        ? `The resourceVersion for the provided list is too old: ${options.atRevision}`
        : 'The provided continue parameter is too old to display a consistent list result. ' +
          'You must start a new list without the continue parameter.';
    throw new StatusError('Expired', text, { cause: error });
  }
}

interface Token {
  rv: number;
  start: string;
}

function encodeToken(token: Token): string {
  return Buffer.from(JSON.stringify({ v: 'meta.k8s.io/v1', ...token })).toString('base64url');
}

function decodeToken(text: string): Token {
  try {
    const token = JSON.parse(Buffer.from(text, 'base64url').toString('utf8')) as Partial<Token>;
    if (Number.isSafeInteger(token.rv) && token.rv! > 0 && typeof token.start === 'string') {
      return { rv: token.rv!, start: token.start };
    }
  } catch {
    // Falls through: a token that is no JSON is as wrong as one without its fields.
  }
  throw badRequest('continue key is not valid: use the one from the previous page, unchanged');
}
