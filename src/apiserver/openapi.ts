import { createHash } from 'node:crypto';
import type { KindDefinition } from '../api/kind.ts';
import type { ApiRequest, ApiResponse } from '../client/transport.ts';
import { noSuchPath } from './failures.ts';

/** Makes the documents; the first request for one pays for it. */
export interface OpenApiSource {
  v2(): object | Promise<object>;
  /** The same as `v2` in protocol buffers: kubectl before 1.27 reads nothing else. */
  v2Protobuf(): Uint8Array | Promise<Uint8Array>;
  v3(group: string, version: string): object | Promise<object>;
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
  #kinds: readonly KindDefinition[];
  #source: OpenApiSource;
  #documents = new Map<string, Promise<Document>>();

  constructor(kinds: readonly KindDefinition[], source: OpenApiSource) {
    this.#kinds = kinds;
    this.#source = source;
  }

  async answer(request: ApiRequest): Promise<ApiResponse> {
    const path = request.path.replace(/\/$/, '');
    if (path === '/openapi/v2') return this.#send(request, await this.#v2(request));
    if (path === '/openapi/v3') {
      const object = { paths: await this.#index() };
      return { code: 200, headers: { 'content-type': 'application/json' }, kind: 'object', object };
    }
    const at = this.#groupVersions().find((one) => `/openapi/v3/${one.path}` === path);
    if (!at) throw noSuchPath();
    return this.#send(request, await this.#v3(at));
  }

  /** Where each document is; the hash in its address changes with it, so clients may keep it for ever. */
  async #index(): Promise<object> {
    const entries = this.#groupVersions().map(async (at) => {
      const { hash } = await this.#v3(at);
      return [at.path, { serverRelativeURL: `/openapi/v3/${at.path}?hash=${hash}` }];
    });
    return Object.fromEntries(await Promise.all(entries));
  }

  #v2(request: ApiRequest): Promise<Document> {
    const wantsProtobuf = (request.headers.accept ?? '').includes('proto-openapi.spec.v2');
    if (wantsProtobuf) return this.#kept('v2.pb', protobuf, () => this.#source.v2Protobuf());
    return this.#document('v2', () => this.#source.v2());
  }

  #v3(at: GroupVersion): Promise<Document> {
    return this.#document(at.path, () => this.#source.v3(at.group, at.version));
  }

  #groupVersions(): GroupVersion[] {
    const found = new Map<string, GroupVersion>();
    for (const { group, version } of this.#kinds) {
      const path = group === '' ? `api/${version}` : `apis/${group}/${version}`;
      found.set(path, { group, version, path });
    }
    return [...found.values()];
  }

  #document(name: string, make: () => object | Promise<object>): Promise<Document> {
    return this.#kept(name, json, async () => Buffer.from(JSON.stringify(await make())));
  }

  #kept(name: string, mediaType: string, make: () => Uint8Array | Promise<Uint8Array>): Promise<Document> {
    let document = this.#documents.get(name);
    if (!document) {
      document = (async () => {
        const body = Buffer.from(await make());
        return { body, mediaType, hash: createHash('sha256').update(body).digest('hex').toUpperCase() };
      })();
      this.#documents.set(name, document);
    }
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
}
