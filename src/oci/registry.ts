import type { IncomingMessage, ServerResponse } from 'node:http';

import { isStatus } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { ContentStore } from './content-store.ts';
import { isDigest } from './digest.ts';
import { isRepository, isTag } from './reference.ts';
import { handleBlob } from './registry-blobs.ts';
import { type Access, type Call, sendJson } from './registry-call.ts';
import { RegistryError } from './registry-error.ts';
import { handleCatalog, handleReferrers, handleTags } from './registry-lists.ts';
import { handleManifest } from './registry-manifests.ts';
import { handleUpload, startUpload } from './registry-uploads.ts';

export type { Access } from './registry-call.ts';

export interface Registry {
  /** Answers requests under `/v2/`; false, with nothing done, for any other path. */
  handle(request: IncomingMessage, response: ServerResponse): Promise<boolean>;
}

/** The largest blob that a registry takes unless told otherwise. */
export const blobBytesMax: number = 32 * 1024 ** 3;

/**
 * An OCI distribution-spec v1.1 registry over a content store. Who is calling is settled before `handle`;
 * `authorize` says whether that caller may do this. Blobs are shared by all repositories: to know a digest is enough
 * to read it from a repository that one may pull from.
 */
export function createRegistry(options: {
  store: ContentStore;
  log: Log;
  authorize?: (request: IncomingMessage, access: Access) => boolean | Promise<boolean>;
  blobBytesMax?: number;
}): Registry {
  return {
    async handle(request, response) {
      const url = URL.parse(request.url ?? '/', 'http://registry');
      if (!url || (url.pathname !== '/v2' && !url.pathname.startsWith('/v2/'))) return false;
      const mayAccess = async (access: Access) => (await options.authorize?.(request, access)) ?? true;
      const limit = options.blobBytesMax ?? blobBytesMax;
      try {
        response.setHeader('Docker-Distribution-API-Version', 'registry/2.0');
        await route({ store: options.store, request, response, url, blobBytesMax: limit, mayAccess });
      } catch (error) {
        sendError(request, response, asRegistryError(error), options.log);
      }
      return true;
    },
  };
}

async function route(call: Call): Promise<void> {
  const path = decodePath(call.url.pathname.slice('/v2'.length).replace(/^\//, ''));
  if (path === '') return sendJson(call, {});
  if (path === '_catalog') {
    await demand(call, { repository: undefined, action: 'catalog' });
    return handleCatalog(call);
  }
  // Greedy: the last `/blobs/`, `/manifests/`… ends the name, since a name may itself contain such parts.
  const match = /^(.+)\/(blobs\/uploads|blobs|manifests|tags|referrers)\/([^/]*)$/.exec(path);
  if (!match) throw new RegistryError(404, 'UNSUPPORTED', `there is no ${path} in the distribution API`);
  const [, repository, kind, last] = match as unknown as [string, string, string, string];
  if (!isRepository(repository)) {
    throw new RegistryError(400, 'NAME_INVALID', `invalid repository name ${JSON.stringify(repository)}`);
  }
  // Even to look at an upload, or to cancel it, is a part of pushing.
  const action = kind === 'blobs/uploads' ? 'push' : actionOf(call.request.method);
  await demand(call, { repository, action });
  if (kind === 'blobs/uploads') {
    return last === '' ? startUpload(call, repository) : handleUpload(call, repository, last);
  }
  if (kind === 'tags' && last === 'list') return handleTags(call, repository);
  if (kind === 'manifests' && (isTag(last) || isDigest(last))) return handleManifest(call, repository, last);
  if (kind === 'manifests' && !last.includes(':')) {
    throw new RegistryError(400, 'MANIFEST_INVALID', `invalid tag ${JSON.stringify(last)}`);
  }
  if (!isDigest(last)) throw new RegistryError(400, 'DIGEST_INVALID', `${last} is not a sha256 digest`);
  return kind === 'referrers' ? handleReferrers(call, repository, last) : handleBlob(call, last);
}

async function demand(call: Call, access: Access): Promise<void> {
  if (await call.mayAccess(access)) return;
  const where = access.repository ? `repository ${access.repository}` : 'the catalogue';
  throw new RegistryError(403, 'DENIED', `you may not ${access.action} ${where}`);
}

function actionOf(method: string | undefined): Access['action'] {
  if (method === 'GET' || method === 'HEAD') return 'pull';
  return method === 'DELETE' ? 'delete' : 'push';
}

function decodePath(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    throw new RegistryError(400, 'NAME_INVALID', 'the path has a malformed percent escape');
  }
}

function asRegistryError(error: unknown): RegistryError {
  if (error instanceof RegistryError) return error;
  if (isStatus(error, 'TooManyRequests')) return new RegistryError(429, 'TOOMANYREQUESTS', error.message);
  if (isStatus(error, 'RequestEntityTooLarge')) return new RegistryError(413, 'SIZE_INVALID', error.message);
  if (isStatus(error, 'Conflict')) return new RegistryError(409, 'BLOB_UPLOAD_INVALID', error.message);
  if (isStatus(error, 'NotFound')) return new RegistryError(404, 'BLOB_UNKNOWN', error.message);
  return new RegistryError(500, 'UNKNOWN', 'the registry failed; its log says why', error);
}

function sendError(request: IncomingMessage, response: ServerResponse, error: RegistryError, log: Log): void {
  const isGone = response.headersSent || response.destroyed;
  if (error.status >= 500 && !request.destroyed) {
    log.error('registry request failed', { method: request.method, path: request.url, error: error.cause });
  }
  if (isGone) return void response.destroy();
  const body = JSON.stringify({ errors: [{ code: error.code, message: error.message }] });
  // A body that is still coming would have to be read to keep the connection; it may be gigabytes.
  if (!request.complete) response.setHeader('Connection', 'close');
  const length = Buffer.byteLength(body);
  response.writeHead(error.status, {
    'Content-Type': 'application/json',
    'Content-Length': length,
    ...error.headers,
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}
