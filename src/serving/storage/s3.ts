import { mkdir } from 'node:fs/promises';
import { dirname, join, posix } from 'node:path';
import { StatusError } from '../../base/errors.ts';
import { download, modelBytesMax } from './download.ts';
import { filesMax } from './place-model.ts';
import { type AwsCredentials, encodePath, signedHeaders } from './sign-request.ts';

/** A page of a listing is no longer. */
const listBytesMax = 4 * 1024 * 1024;

export interface S3Options {
  /** `https://s3.eu-central-1.amazonaws.com`, or another server that speaks S3. */
  endpoint: string;
  region: string;
  /** Absent: requests are not signed. */
  credentials?: AwsCredentials | undefined;
  /** The bucket is a part of the host's name, not of the path. */
  isVirtualHosted: boolean;
}

/** How the variables of KServe's storage initializer describe S3; those of `model.storage` come first. */
export function s3OptionsOf(env: Record<string, string | undefined>): S3Options {
  const spec = { ...jsonOf(env, 'STORAGE_CONFIG'), ...jsonOf(env, 'STORAGE_OVERRIDE_CONFIG') };
  const region = spec.region || env.AWS_DEFAULT_REGION || 'us-east-1';
  const isAnonymous = /^(true|1)$/i.test(spec.anonymous ?? env.awsAnonymousCredential ?? '');
  const accessKeyId = spec.access_key_id ?? env.AWS_ACCESS_KEY_ID;
  const secretAccessKey = spec.secret_access_key ?? env.AWS_SECRET_ACCESS_KEY;
  const isKnown = accessKeyId && secretAccessKey && !isAnonymous;
  return {
    endpoint: spec.endpoint_url || env.AWS_ENDPOINT_URL || `https://s3.${region}.amazonaws.com`,
    region,
    credentials: isKnown ? { accessKeyId, secretAccessKey, sessionToken: env.AWS_SESSION_TOKEN } : undefined,
    isVirtualHosted: /^(true|1)$/i.test(env.S3_USER_VIRTUAL_BUCKET ?? ''),
  };
}

function jsonOf(env: Record<string, string | undefined>, name: string): Record<string, string | undefined> {
  try {
    return JSON.parse(env[name] || '{}') as Record<string, string | undefined>;
  } catch (error) {
    throw new StatusError('Invalid', `$${name} is not JSON: ${(error as Error).message}`);
  }
}

interface Place {
  bucket: string;
  path: string;
}

export function placeOf(uri: string): Place {
  const [, bucket = '', path = ''] = /^(?:s3|gs):\/\/([^/]+)\/?(.*?)\/*$/.exec(uri) ?? [];
  if (bucket === '') throw new StatusError('Invalid', `${uri} names no bucket`);
  return { bucket, path };
}

/**
 * Fetches what lies at `s3://BUCKET/PATH`, or `gs://`, whose server speaks S3 too: one object into `file`, or all below the path into `folder`. Resolves to the path in
 * the bucket of the one, or to the files' paths in the folder.
 */
export async function fetchObjects(options: {
  uri: string;
  s3: S3Options;
  file: string;
  folder: string;
  fetch: typeof globalThis.fetch;
  nowMs: () => number;
}): Promise<{ bytes: number; object: string } | { bytes: number; placed: string[] }> {
  const { uri, s3, file, folder, fetch, nowMs } = options;
  const place = placeOf(uri);
  const sign = (url: URL) =>
    s3.credentials
      ? signedHeaders({ method: 'GET', url }, s3.credentials, {
          region: s3.region,
          service: 's3',
          nowMs: nowMs(),
        })
      : {};
  const get = async (url: URL) => fetch(url, { headers: sign(url) });
  const objects = await listObjects(place, s3, get);
  if (objects.length === 0)
    throw new StatusError(
      'NotFound',
      `${uri}: the bucket has nothing there (${urlOf(s3, place.bucket, place.path)})`,
    );
  const fetchTo = (key: string, to: string, bytesMax: number) => {
    const url = urlOf(s3, place.bucket, key);
    return download({ uri: url.href, file: to, fetch, bytesMax, headers: sign(url) });
  };
  const [only, ...others] = objects;
  if (others.length === 0) {
    const { bytes } = await fetchTo(only!, file, modelBytesMax);
    return { bytes, object: only! };
  }
  let bytes = 0;
  const placed: string[] = [];
  for (const key of objects) {
    const name = posix.normalize(`/${key.slice(place.path.length)}`).slice(1);
    const to = join(folder, name);
    await mkdir(dirname(to), { recursive: true });
    bytes += (await fetchTo(key, to, modelBytesMax - bytes)).bytes;
    placed.push(name);
  }
  return { bytes, placed };
}

/** The keys of the objects at the path or below it, without those that only stand for folders. */
async function listObjects(
  { bucket, path }: Place,
  s3: S3Options,
  get: (url: URL) => Promise<Response>,
): Promise<string[]> {
  const keys: string[] = [];
  let token: string | undefined;
  do {
    const url = urlOf(s3, bucket, '');
    const query = { 'list-type': '2', 'encoding-type': 'url', prefix: path };
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    if (token !== undefined) url.searchParams.set('continuation-token', token);
    const response = await get(url);
    const text = await textOf(response, url);
    if (!response.ok) {
      const [code, message] = [tagOf(text, 'Code'), tagOf(text, 'Message')];
      const why = [code, message].filter(Boolean).join(': ') || response.statusText;
      throw new StatusError(
        'BadRequest',
        `${url.origin} answered ${response.status} for bucket "${bucket}": ${why}`,
      );
    }
    for (const [, content = ''] of text.matchAll(/<Contents>(.*?)<\/Contents>/gs)) {
      const key = decodeURIComponent((tagOf(content, 'Key') ?? '').replaceAll('+', ' '));
      const isThere = path === '' || key === path || key.startsWith(`${path}/`);
      if (isThere && !key.endsWith('/')) keys.push(key);
    }
    if (keys.length > filesMax)
      throw new StatusError('Invalid', `s3://${bucket}/${path} has more than ${filesMax} objects`);
    token = tagOf(text, 'IsTruncated') === 'true' ? tagOf(text, 'NextContinuationToken') : undefined;
  } while (token !== undefined);
  return keys;
}

function urlOf({ endpoint, isVirtualHosted }: S3Options, bucket: string, key: string): URL {
  const url = new URL(endpoint);
  if (isVirtualHosted) url.hostname = `${bucket}.${url.hostname}`;
  const base = url.pathname.replace(/\/$/, '');
  url.pathname = `${base}/${encodePath(isVirtualHosted ? key : `${bucket}/${key}`.replace(/\/$/, ''))}`;
  return url;
}

async function textOf(response: Response, url: URL): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > listBytesMax)
      throw new StatusError(
        'RequestEntityTooLarge',
        `${url.origin} lists more than ${listBytesMax} bytes at once`,
      );
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

/** The text of the first element of that name; a listing's elements have no attributes. */
function tagOf(xml: string, name: string): string | undefined {
  const text = new RegExp(`<${name}>(.*?)</${name}>`, 's').exec(xml)?.[1];
  const entities: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };
  return text?.replace(/&(amp|lt|gt|quot|apos);/g, (_all, entity: string) => entities[entity]!);
}
