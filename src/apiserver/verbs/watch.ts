import type { KindDefinition } from '../../api/kind.ts';
import type { KubeObject } from '../../api/object.ts';
import { apiVersionOf } from '../../api/object.ts';
import type { Clock } from '../../base/clock.ts';
import { isStatus, messageOf, StatusError } from '../../base/errors.ts';
import type { WatchEvent } from '../../client/transport.ts';
import type { ListPage, StoreEvent } from '../../store/store.ts';
import type { Call, Context } from '../context.ts';
import { checkWatchOptions, readListOptions } from '../options.ts';
import { objectOf } from '../stored.ts';
import { pageObjects } from './list.ts';
import { type Selection, selectionOf } from './match.ts';
import { readRevision } from './revision.ts';

/** A quiet watch that asked for bookmarks gets one this often. */
const bookmarkMs = 60_000;
/** A watch without timeoutSeconds ends after this long or up to twice it, so that clients spread out. */
const watchSecondsMin = 1800;

/** Opens a watch; wrong options throw at once, what goes wrong later comes as an ERROR event. */
export function watch(context: Context, call: Call): AsyncIterable<WatchEvent> {
  const options = readListOptions(call.request.query);
  checkWatchOptions(options);
  const revision = options.resourceVersion === undefined ? 0 : readRevision(options.resourceVersion);
  const startsWithState = options.sendInitialEvents ?? revision === 0;
  const selection = selectionOf(call, options);
  const watched: Watched = {
    kind: call.resource.kind,
    selection,
    // Read now and not when the first event is asked for: a watch begins with its request.
    initial: startsWithState ? context.store.list(selection.prefix, page) : undefined,
    fromRevision: revision || context.store.revision(),
    bookmark: bookmarkOf(call.resource.kind),
    sendsBookmarks: options.allowWatchBookmarks,
    marksInitialEnd: options.sendInitialEvents === true && options.allowWatchBookmarks,
  };
  const seconds = options.timeoutSeconds ?? watchSecondsMin * (1 + Math.random());
  return run(context, watched, seconds, call.request.signal);
}

/** One for all: a stack trace each takes long where a thousand agents go at once. */
const over = new DOMException('The watch is over', 'AbortError');

interface Watched {
  kind: KindDefinition;
  selection: Selection;
  /** The first page of what the watch begins with, as ADDED events; absent where it goes on from `fromRevision`. */
  initial: ListPage | undefined;
  fromRevision: number;
  bookmark: (revision: number, annotations?: Record<string, string>) => KubeObject;
  sendsBookmarks: boolean;
  marksInitialEnd: boolean;
}

async function* run(
  context: Context,
  watched: Watched,
  seconds: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<WatchEvent> {
  const ended = new AbortController();
  const end = () => ended.abort(over);
  signal?.addEventListener('abort', end, { once: true });
  if (signal?.aborted) end();
  const cancelTimeout = context.clock.after(seconds * 1000, end);
  try {
    yield* follow(context, watched, ended.signal);
  } catch (error) {
    if (!ended.signal.aborted) yield errorEvent(context, error);
  } finally {
    cancelTimeout();
    signal?.removeEventListener('abort', end);
    end();
  }
}

async function* follow(context: Context, watched: Watched, signal: AbortSignal): AsyncGenerator<WatchEvent> {
  const { initial } = watched;
  watched.initial = undefined; // A watch lives long; the page need not.
  const fromRevision = initial?.revision ?? watched.fromRevision;
  if (initial) {
    yield* present(context, watched, initial);
    if (watched.marksInitialEnd) {
      const annotations = { 'k8s.io/initial-events-end': 'true' };
      yield { type: 'BOOKMARK', object: watched.bookmark(initial.revision, annotations) };
    }
  } else if (fromRevision > context.store.revision()) {
    // After the data was restored from an older copy: the client has to list again.
    throw new StatusError(
      'Expired',
      `the resource version ${fromRevision} is newer than this server's ${context.store.revision()}`,
    );
  }
  const { prefix, matchesAll, where } = watched.selection;
  const running = context.store.watch(prefix, {
    fromRevision,
    signal,
    where,
    // A change that is no news wakes nobody.
    ...(!matchesAll && { concerns: (event: StoreEvent) => translate(event, watched) !== undefined }),
  });
  const changes = running[Symbol.asyncIterator]();
  const nextChange = () => {
    const change = changes.next();
    // It may fail while a slow client is not asking; whoever awaits it later still hears of it.
    change.catch(() => {});
    return change;
  };
  let pending = nextChange();
  for (;;) {
    const next = watched.sendsBookmarks ? await withTick(pending, context.clock) : await pending;
    if (next === 'tick') {
      yield { type: 'BOOKMARK', object: watched.bookmark(running.revision) };
      continue;
    }
    if (next.done || signal.aborted) return;
    pending = nextChange();
    const event = translate(next.value, watched);
    if (event) yield event;
  }
}

const page = { limit: pageObjects, countsRemaining: false };

/** What there is at the first page's revision; between two pages others get their turn. */
async function* present(context: Context, watched: Watched, first: ListPage): AsyncGenerator<WatchEvent> {
  const { kind, selection } = watched;
  for (let read = first; ; ) {
    for (const stored of read.items) {
      const object = objectOf(stored, kind);
      if (selection.matches(object)) yield { type: 'ADDED', object };
    }
    if (read.next === undefined) return;
    await new Promise((resolve) => setImmediate(resolve));
    const rest = { ...page, after: read.next, atRevision: first.revision };
    read = context.store.list(selection.prefix, rest);
  }
}

/**
 * What a change means to a watcher that sees only matching objects: entering the selection is ADDED, leaving it
 * is DELETED with the last state that matched, at the revision of the change.
 */
export function translate(
  event: StoreEvent,
  { kind, selection }: Pick<Watched, 'kind' | 'selection'>,
): WatchEvent | undefined {
  const { revision } = event;
  if (event.type === 'delete') {
    const object = objectOf({ value: event.value, revision }, kind);
    return selection.matches(object) ? { type: 'DELETED', object } : undefined;
  }
  const object = objectOf({ value: event.value, revision }, kind);
  if (selection.matchesAll) return { type: event.created ? 'ADDED' : 'MODIFIED', object };
  const { previous } = event;
  if (event.created || previous === undefined)
    return selection.matches(object) ? { type: 'ADDED', object } : undefined;
  // What is stored needs no revision to be matched.
  const matched = selection.matches(kind.storedAs ? objectOf({ value: previous, revision }, kind) : previous);
  if (selection.matches(object)) return { type: matched ? 'MODIFIED' : 'ADDED', object };
  return matched ? { type: 'DELETED', object: objectOf({ value: previous, revision }, kind) } : undefined;
}

function withTick<T>(pending: Promise<T>, clock: Clock): Promise<T | 'tick'> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(bookmarkMs, () => resolve('tick'));
    pending.then(
      (value) => {
        cancel();
        resolve(value);
      },
      (error) => {
        cancel();
        reject(error);
      },
    );
  });
}

function bookmarkOf(kind: { group: string; version: string; kind: string }): Watched['bookmark'] {
  return (revision, annotations) => ({
    kind: kind.kind,
    apiVersion: apiVersionOf(kind),
    metadata: { resourceVersion: String(revision), ...(annotations && { annotations }) },
  });
}

function errorEvent(context: Context, error: unknown): WatchEvent {
  if (!isStatus(error)) context.log.error('a watch failed', { error: messageOf(error) });
  const status = isStatus(error)
    ? error
    : new StatusError('InternalError', 'Internal error occurred: the watch failed');
  return { type: 'ERROR', object: status.toStatus() as unknown as KubeObject };
}
