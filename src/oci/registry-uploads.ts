import { isStatus } from '../base/errors.ts';
import { isDigest } from './digest.ts';
import { isRepository } from './reference.ts';
import { bodyOf, type Call } from './registry-call.ts';
import { notAllowed, RegistryError } from './registry-error.ts';

/** `POST /v2/<name>/blobs/uploads/`: a mount, a whole blob in one request, or the start of an upload. */
export async function startUpload(call: Call, repository: string): Promise<void> {
  const { store, request, url } = call;
  if (request.method !== 'POST') throw notAllowed(request.method, ['POST']);
  const mount = url.searchParams.get('mount');
  if (mount !== null && (await isMountable(call, mount))) return sendCreated(call, repository, mount);
  const digest = url.searchParams.get('digest');
  if (digest !== null && !isDigest(digest)) {
    throw new RegistryError(400, 'DIGEST_INVALID', `${digest} is not a sha256 digest`);
  }
  const id = await store.uploads.create(repository);
  if (digest === null) return sendProgress(call, repository, id, 0, 202);
  try {
    await receive(call, id, 0);
    await commit(call, repository, id, digest);
  } finally {
    await store.uploads.cancel(id);
  }
}

export async function handleUpload(call: Call, repository: string, id: string): Promise<void> {
  const { store, request, response, url } = call;
  const offset = await store.uploads.offset(repository, id);
  if (offset === undefined) {
    throw new RegistryError(404, 'BLOB_UPLOAD_UNKNOWN', `upload ${id} is unknown or expired; start it again`);
  }
  switch (request.method) {
    case 'GET':
      return sendProgress(call, repository, id, offset, 204);
    case 'PATCH':
      return sendProgress(call, repository, id, await receive(call, id, offset), 202);
    case 'PUT': {
      const digest = url.searchParams.get('digest') ?? '';
      if (!isDigest(digest))
        throw new RegistryError(400, 'DIGEST_INVALID', `"${digest}" is not a sha256 digest`);
      await receive(call, id, offset);
      return commit(call, repository, id, digest);
    }
    case 'DELETE':
      await store.uploads.cancel(id);
      response.writeHead(204).end();
      return;
    default:
      throw notAllowed(request.method, ['GET', 'PATCH', 'PUT', 'DELETE']);
  }
}

/** The blob has to be here, and the caller has to be able to pull from the repository that it names. */
async function isMountable({ store, url, mayAccess }: Call, digest: string): Promise<boolean> {
  const from = url.searchParams.get('from');
  if (from === null || !isRepository(from) || !isDigest(digest)) return false;
  return (await mayAccess({ repository: from, action: 'pull' })) && (await store.touch(digest));
}

async function receive(call: Call, id: string, offset: number): Promise<number> {
  const { store, request, blobBytesMax } = call;
  const range = request.headers['content-range'];
  if (range !== undefined) checkRange(range, offset, Number(request.headers['content-length']));
  return store.uploads.append(id, bodyOf(call), { offset, bytesMax: blobBytesMax });
}

/** `Content-Range: <start>-<end>`, both inclusive (distribution-spec, "Pushing a blob in chunks"). */
function checkRange(range: string, offset: number, length: number): void {
  const [start, end] = (/^(?:bytes[ =])?(\d+)-(\d+)(?:\/.*)?$/.exec(range) ?? []).slice(1).map(Number);
  if (start === undefined || end === undefined) {
    throw new RegistryError(400, 'BLOB_UPLOAD_INVALID', `Content-Range "${range}" is not "<start>-<end>"`);
  }
  if (!Number.isNaN(length) && length !== end - start + 1) {
    throw new RegistryError(
      400,
      'SIZE_INVALID',
      `Content-Range ${range} does not fit Content-Length ${length}`,
    );
  }
  if (start === offset) return;
  const error = new RegistryError(416, 'BLOB_UPLOAD_INVALID', `chunk begins at ${start}, expected ${offset}`);
  error.headers = { Range: rangeOf(offset) };
  throw error;
}

async function commit(call: Call, repository: string, id: string, digest: string): Promise<void> {
  try {
    await call.store.uploads.commit(id, digest);
  } catch (error) {
    if (isStatus(error, 'Invalid')) throw new RegistryError(400, 'DIGEST_INVALID', error.message);
    throw error;
  }
  sendCreated(call, repository, digest);
}

function sendCreated({ response }: Call, repository: string, digest: string): void {
  const location = `/v2/${repository}/blobs/${digest}`;
  response.writeHead(201, { Location: location, 'Docker-Content-Digest': digest, 'Content-Length': 0 }).end();
}

function sendProgress(
  { response }: Call,
  repository: string,
  id: string,
  offset: number,
  status: number,
): void {
  response.setHeader('Location', `/v2/${repository}/blobs/uploads/${id}`);
  response.setHeader('Docker-Upload-UUID', id);
  response.setHeader('Range', rangeOf(offset));
  if (status !== 204) response.setHeader('Content-Length', 0);
  response.writeHead(status).end();
}

/** An empty upload also shows `0-0`: the form has no other way to say it, and clients expect it. */
const rangeOf = (offset: number): string => `0-${Math.max(0, offset - 1)}`;
