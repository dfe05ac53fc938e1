import { isStatus } from '../base/errors.ts';
import type { ContentStore } from './content-store.ts';
import { digestOf, isDigest } from './digest.ts';
import {
  artifactTypeOf,
  type Descriptor,
  decodeManifest,
  type Index,
  type Manifest,
  manifestBytesMax,
  neededBy,
} from './manifest.ts';
import { bodyOf, type Call } from './registry-call.ts';
import { notAllowed, RegistryError } from './registry-error.ts';

export async function handleManifest(call: Call, repository: string, reference: string): Promise<void> {
  switch (call.request.method) {
    case 'GET':
    case 'HEAD':
      return sendManifest(call, repository, reference);
    case 'PUT':
      return putManifest(call, repository, reference);
    case 'DELETE':
      return deleteManifest(call, repository, reference);
    default:
      throw notAllowed(call.request.method, ['GET', 'HEAD', 'PUT', 'DELETE']);
  }
}

async function sendManifest(call: Call, repository: string, reference: string): Promise<void> {
  const { request, response, store } = call;
  const manifest = await find(store, repository, reference);
  const bytes = await store.read(manifest.digest, manifestBytesMax);
  response.setHeader('Content-Type', manifest.mediaType);
  response.setHeader('Content-Length', bytes.length);
  response.setHeader('Docker-Content-Digest', manifest.digest);
  response.setHeader('ETag', `"${manifest.digest}"`);
  response.writeHead(200).end(request.method === 'HEAD' ? undefined : bytes);
}

async function find(store: ContentStore, repository: string, reference: string): Promise<Descriptor> {
  const { repositories } = store;
  const found = isDigest(reference)
    ? await repositories.manifest(repository, reference)
    : await repositories.tag(repository, reference);
  if (found && (await store.has(found.digest))) return found;
  throw new RegistryError(404, 'MANIFEST_UNKNOWN', `manifest unknown: ${repository} has no ${reference}`);
}

async function putManifest(call: Call, repository: string, reference: string): Promise<void> {
  const { store, response } = call;
  const bytes = await readBody(call);
  const digest = digestOf(bytes);
  if (isDigest(reference) && reference !== digest) {
    throw new RegistryError(400, 'DIGEST_INVALID', `the manifest has digest ${digest}, not ${reference}`);
  }
  const content = decode(bytes, call.request.headers['content-type']);
  await checkNeeded(store, repository, content);
  await store.put(bytes);
  const descriptor = { mediaType: content.mediaType, digest, size: bytes.length };
  if (content.subject) {
    await store.repositories.addReferrer(repository, content.subject.digest, asReferrer(descriptor, content));
    response.setHeader('OCI-Subject', content.subject.digest);
  }
  await store.repositories.linkManifest(repository, descriptor);
  if (!isDigest(reference)) await store.repositories.setTag(repository, reference, descriptor);
  response.setHeader('Location', `/v2/${repository}/manifests/${digest}`);
  response.setHeader('Docker-Content-Digest', digest);
  response.setHeader('Content-Length', 0);
  response.writeHead(201).end();
}

function decode(bytes: Buffer, contentType: string | undefined): Manifest | Index {
  const declared = contentType?.split(';')[0]?.trim();
  try {
    return decodeManifest(bytes, declared === 'application/json' ? undefined : declared);
  } catch (error) {
    if (isStatus(error, 'Invalid')) throw new RegistryError(400, 'MANIFEST_INVALID', error.message);
    throw error;
  }
}

/** A manifest may only name what is here; touching it keeps the garbage collector away until it is linked. */
async function checkNeeded(
  store: ContentStore,
  repository: string,
  content: Manifest | Index,
): Promise<void> {
  for (const needed of neededBy(content)) {
    // Layers with outside addresses are never pushed (image-spec, "Non-Distributable Layers").
    if (needed.urls && needed.urls.length > 0) continue;
    const isHere = await store.touch(needed.digest);
    const isChild = 'manifests' in content;
    if (!isHere || (isChild && !(await store.repositories.manifest(repository, needed.digest)))) {
      const what = isChild ? 'manifest' : 'blob';
      throw new RegistryError(
        404,
        'MANIFEST_BLOB_UNKNOWN',
        `push ${what} ${needed.digest} before its manifest`,
      );
    }
    const size = await store.stat(needed.digest);
    if (size !== needed.size) {
      const why = `${needed.digest} has ${size} bytes, the manifest says ${needed.size}`;
      throw new RegistryError(400, 'SIZE_INVALID', why);
    }
  }
}

/** What the referrers API lists: the descriptor with the manifest's own annotations and artifact type. */
export function asReferrer(descriptor: Descriptor, content: Manifest | Index): Descriptor {
  const artifactType = artifactTypeOf(content);
  return {
    ...descriptor,
    ...(artifactType !== undefined && { artifactType }),
    ...(content.annotations && { annotations: content.annotations }),
  };
}

async function deleteManifest(call: Call, repository: string, reference: string): Promise<void> {
  const { store, response } = call;
  const found = await find(store, repository, reference);
  if (!isDigest(reference)) {
    await store.repositories.removeTag(repository, reference);
  } else {
    const content = decodeManifest(await store.read(found.digest, manifestBytesMax), found.mediaType);
    await store.repositories.removeManifest(repository, found.digest, content.subject?.digest);
  }
  response.writeHead(202, { 'Content-Length': 0 }).end();
}

async function readBody(call: Call): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of bodyOf(call)) {
    length += chunk.length;
    if (length > manifestBytesMax) {
      throw new RegistryError(
        413,
        'MANIFEST_INVALID',
        `a manifest may have at most ${manifestBytesMax} bytes`,
      );
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
