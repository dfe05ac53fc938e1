import { messageOf } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import { isRecord } from '../options.ts';
import type { Remote } from './aggregation.ts';
import { readFrom } from './remote.ts';

/** A document is asked for anew after so long; while it is the same, it is not sent again. */
export const keptMs = 30_000;

interface Kept {
  atMs: number;
  etag: string | undefined;
  value: unknown;
}

/** The OpenAPI documents of other API servers; who cannot tell his is left out. */
export class RemoteOpenApi {
  readonly #remotes: () => Iterable<Remote>;
  readonly #log: Log;
  #revision = 0;
  readonly #kept = new WeakMap<Remote['upstream'], Map<string, Kept>>();

  constructor(remotes: () => Iterable<Remote>, log: Log) {
    this.#remotes = remotes;
    this.#log = log;
  }

  /** Changes with what `v2` gives; asks for it. */
  async revision(): Promise<number> {
    await this.v2();
    return this.#revision;
  }

  /** Where each of their versions is described: what stands in the index of `/openapi/v3`, by `apis/group/version`. */
  async v3(): Promise<Record<string, { serverRelativeURL: string }>> {
    const found: Record<string, { serverRelativeURL: string }> = {};
    for (const remote of this.#remotes()) {
      const index = await this.#read(remote, '/openapi/v3');
      const at = `apis/${remote.service.spec?.group}/${remote.service.spec?.version}`;
      const paths = isRecord(index) && isRecord(index.paths) ? index.paths : {};
      const entry = paths[at];
      if (isRecord(entry) && typeof entry.serverRelativeURL === 'string') {
        found[at] = { serverRelativeURL: entry.serverRelativeURL };
      }
    }
    return found;
  }

  /** The OpenAPI 2.0 documents, each with only the paths that its server is asked for. */
  async v2(): Promise<Document[]> {
    const documents: Document[] = [];
    for (const remote of this.#remotes()) {
      const document = await this.#read(remote, '/openapi/v2');
      if (!isRecord(document)) continue;
      const prefix = `/apis/${remote.service.spec?.group}/${remote.service.spec?.version}`;
      const parameters = isRecord(document.parameters) ? document.parameters : {};
      const paths = Object.entries(isRecord(document.paths) ? document.paths : {})
        .filter(([path]) => path === prefix || path.startsWith(`${prefix}/`))
        .map(([path, item]) => [path, withOwnParameters(item, parameters)]);
      const definitions = isRecord(document.definitions) ? document.definitions : {};
      documents.push({ paths: Object.fromEntries(paths), definitions });
    }
    return documents;
  }

  async #read({ upstream, isAvailable, service }: Remote, path: string): Promise<unknown> {
    const ofRemote = this.#kept.get(upstream) ?? new Map<string, Kept>();
    this.#kept.set(upstream, ofRemote);
    const kept = ofRemote.get(path);
    const nowMs = performance.now();
    if (kept && nowMs - kept.atMs < keptMs) return kept.value;
    if (!isAvailable) return kept?.value;
    try {
      const headers = { accept: 'application/json', ...(kept?.etag && { 'if-none-match': kept.etag }) };
      const answer = await readFrom(upstream, path, headers);
      if (answer.code !== 200 && answer.code !== 304) throw new Error(`it answered ${answer.code}`);
      const isSame = answer.code === 304;
      const value: unknown = isSame ? kept?.value : JSON.parse(answer.text);
      if (!isSame) this.#revision++;
      ofRemote.set(path, { atMs: nowMs, etag: etagOf(answer.headers) ?? kept?.etag, value });
      return value;
    } catch (error) {
      this.#log.warn('an OpenAPI document could not be had', {
        name: service.metadata!.name!,
        path,
        error: messageOf(error),
      });
      ofRemote.set(path, { atMs: nowMs, etag: kept?.etag, value: kept?.value });
      return kept?.value;
    }
  }
}

/** A path whose operations carry their parameters themselves: not by reference, nor beside them. */
function withOwnParameters(item: unknown, shared: Record<string, unknown>): unknown {
  if (!isRecord(item)) return item;
  const { parameters: common, ...operations } = item;
  const resolved = (parameters: unknown) =>
    (Array.isArray(parameters) ? parameters : []).map((each: unknown) => {
      const name = isRecord(each) && typeof each.$ref === 'string' ? each.$ref : '';
      return name.startsWith(sharedPrefix) ? (shared[name.slice(sharedPrefix.length)] ?? each) : each;
    });
  const ofPath = resolved(common);
  return Object.fromEntries(
    Object.entries(operations).map(([method, operation]) => [
      method,
      isRecord(operation)
        ? { ...operation, parameters: [...ofPath, ...resolved(operation.parameters)] }
        : operation,
    ]),
  );
}

const sharedPrefix = '#/parameters/';

const etagOf = ({ etag }: Record<string, string | string[]>) => (typeof etag === 'string' ? etag : undefined);

/** What two OpenAPI 2.0 documents have to be joined by. */
export interface Document {
  paths: Record<string, unknown>;
  definitions: Record<string, unknown>;
}

/** Adds to a document what others describe: their paths, and the definitions that those use, under new names where ours differ. */
export function mergeV2(own: object, others: readonly Document[]): object {
  const { paths, definitions, ...rest } = own as Document;
  const merged = { ...rest, paths: { ...paths }, definitions: { ...definitions } };
  for (const other of others) {
    const used = usedBy(other);
    const renamed = new Map<string, string>();
    for (const name of used) {
      const taken = merged.definitions[name];
      if (taken === undefined || JSON.stringify(taken) === JSON.stringify(other.definitions[name])) continue;
      let number = 2;
      while (merged.definitions[`${name}_v${number}`] !== undefined) number++;
      renamed.set(name, `${name}_v${number}`);
    }
    const rename = (value: unknown) => withReferences(value, (name) => renamed.get(name) ?? name);
    for (const name of used) {
      const at = renamed.get(name) ?? name;
      merged.definitions[at] ??= rename(other.definitions[name]);
    }
    for (const [path, item] of Object.entries(other.paths)) merged.paths[path] ??= rename(item);
  }
  return merged;
}

const prefix = '#/definitions/';

/** The names of the definitions that a document's paths lead to. */
function usedBy({ paths, definitions }: Document): Set<string> {
  const used = new Set<string>();
  const waiting: unknown[] = [paths];
  while (waiting.length > 0) {
    withReferences(waiting.pop(), (name) => {
      if (!used.has(name) && definitions[name] !== undefined) {
        used.add(name);
        waiting.push(definitions[name]);
      }
      return name;
    });
  }
  return used;
}

/** A copy in which every reference to a definition is to the one that `named` says. */
function withReferences(value: unknown, named: (name: string) => string): unknown {
  if (Array.isArray(value)) return value.map((each) => withReferences(each, named));
  if (!isRecord(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, each]) =>
      key === '$ref' && typeof each === 'string' && each.startsWith(prefix)
        ? [key, prefix + named(each.slice(prefix.length))]
        : [key, withReferences(each, named)],
    ),
  );
}
