import { createHash } from 'node:crypto';
import type { ApiRequest, ApiResponse } from '../client/transport.ts';
import type { ServedKinds } from './discovery.ts';
import { noSuchPath } from './failures.ts';

/** Makes the documents; the first request for one pays for it. */
export interface OpenApiSource {
  v2(): object | Promise<object>;
  /** The same as `v2` in protocol buffers: kubectl before 1.27 reads nothing else. */
  v2Protobuf(): Uint8Array | Promise<Uint8Array>;
  v3(group: string, version: string): object | Promise<object>;
  /** What describes a path that is above all versions: `apis/apps`. */
  v3Discovery(path: string): object | Promise<object>;
  /** What other servers describe, as the index has it. */
  remoteV3?(): Promise<Record<string, object>>;
  /** Changes with what others add to `v2`. */
  remoteRevision?(): Promise<number>;
}

interface Document {
  body: Buffer;
  mediaType: string;
  hash: string;
}

const json = 'application/json';
// Clients ask for `…spec.v2@v1.0+protobuf`, but refuse an answer with the `@`, which RFC 2045 does not allow.
const protobuf = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf';

/** Serves `/openapi/v3`, one document a group and version, and `/openapi/v2`. */
export class OpenApi {
  #served: ServedKinds;
  #source: OpenApiSource;
  /** By name, as long as `stamp` is the same. */
  #documents = new Map<string, { stamp: string; document: Promise<Document> }>();

  constructor(served: ServedKinds, source: OpenApiSource) {
    this.#served = served;
    this.#source = source;
  }

  async answer(request: ApiRequest): Promise<ApiResponse> {
    const path = request.path.replace(/\/$/, '');
    if (path === '/openapi/v2') return this.#send(request, await this.#v2(request));
    if (path === '/openapi/v3') {
      const object = { paths: await this.#index() };
      return { code: 200, headers: { 'content-type': 'application/json' }, kind: 'object', object };
    }
    const above = this.#discoveryPaths().find((one) => `/openapi/v3/${one}` === path);
    if (above) return this.#send(request, await this.#discovery(above));
    const at = this.#groupVersions().find((one) => `/openapi/v3/${one.path}` === path);
    if (!at) throw noSuchPath();
    return this.#send(request, await this.#v3(at));
  }

  /** Where each document is; the hash in its address changes with it, so clients may keep it for ever. */
  async #index(): Promise<object> {
    const entries = this.#groupVersions().map(async (at) => {
      // Documents of kinds that were made at run time may be many, and nobody may ever ask for them.
      const hash = at.stamp === '' ? (await this.#v3(at)).hash : hashOf(at.path + at.stamp);
      return [at.path, { serverRelativeURL: `/openapi/v3/${at.path}?hash=${hash}` }];
    });
    const above = this.#discoveryPaths().map(async (path) => {
      const { hash } = await this.#discovery(path);
      return [path, { serverRelativeURL: `/openapi/v3/${path}?hash=${hash}` }];
    });
    const remote = (await this.#source.remoteV3?.()) ?? {};
    return { ...Object.fromEntries(await Promise.all([...above, ...entries])), ...remote };
  }

  async #v2(request: ApiRequest): Promise<Document> {
    const wantsProtobuf = (request.headers.accept ?? '').includes('proto-openapi.spec.v2');
    const stamp = `${this.#served.revision} ${(await this.#source.remoteRevision?.()) ?? ''}`;
    if (wantsProtobuf) {
      return this.#kept({ name: 'v2.pb', stamp, mediaType: protobuf }, () => this.#source.v2Protobuf());
    }
    const made = async () => Buffer.from(JSON.stringify(await this.#source.v2()));
    return this.#kept({ name: 'v2', stamp, mediaType: json }, made);
  }

  async #v3(at: GroupVersion): Promise<Document> {
    const { path, stamp } = at;
    const made = async () => Buffer.from(JSON.stringify(await this.#source.v3(at.group, at.version)));
    if (stamp === '') return this.#kept({ name: path, stamp, mediaType: json }, made);
    return { body: await made(), mediaType: json, hash: hashOf(path + stamp) };
  }

  #discovery(path: string): Promise<Document> {
    const made = async () => Buffer.from(JSON.stringify(await this.#source.v3Discovery(path)));
    return this.#kept({ name: path, stamp: '', mediaType: json }, made);
  }

  /** Of built-in groups only, as in Kubernetes. */
  #discoveryPaths(): string[] {
    const groups = new Set(this.#served.kinds.filter(({ custom }) => !custom).map(({ group }) => group));
    const named = [...groups].filter((group) => group !== '');
    return ['api', 'apis', ...named.map((group) => `apis/${group}`), 'version'];
  }

  #groupVersions(): GroupVersion[] {
    const found = new Map<string, GroupVersion>();
    for (const { group, version, custom } of this.#served.kinds) {
      const path = group === '' ? `api/${version}` : `apis/${group}/${version}`;
      const stamp = custom || found.get(path)?.stamp ? String(this.#served.revision) : '';
      found.set(path, { group, version, path, stamp });
    }
    return [...found.values()];
  }

  #kept(
    { name, stamp, mediaType }: { name: string; stamp: string; mediaType: string },
    make: () => Uint8Array | Promise<Uint8Array>,
  ): Promise<Document> {
    const kept = this.#documents.get(name);
    if (kept?.stamp === stamp) return kept.document;
    const document = (async () => {
      const body = Buffer.from(await make());
      return { body, mediaType, hash: hashOf(body) };
    })();
    this.#documents.set(name, { stamp, document });
    return document;
  }

  #send(request: ApiRequest, { body, mediaType, hash }: Document): ApiResponse {
    const etag = `"${hash}"`;
    const isPinned = request.query.get('hash') === hash;
    const headers = {
      'content-type': mediaType,
      etag,
      'cache-control': isPinned ? 'public, immutable' : 'no-cache, private',
      vary: 'Accept',
    };
    const isKnown = request.headers['if-none-match'] === etag;
    const bytes = (async function* () {
      if (!isKnown) yield body;
    })();
    return { code: isKnown ? 304 : 200, headers, kind: 'bytes', bytes };
  }
}

interface GroupVersion {
  group: string;
  version: string;
  /** As in `/openapi/v3/PATH`. */
  path: string;
  /** What changes with its kinds; '' where they never change. */
  stamp: string;
}

function hashOf(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex').toUpperCase();
}
