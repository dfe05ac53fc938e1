import { createHash, createHmac } from 'node:crypto';

export interface AwsCredentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string | undefined;
}

export interface SigningScope {
  region: string;
  /** `s3`. */
  service: string;
}

/** Of a request without a body. */
export const emptyBodySha256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

/**
 * The headers that a request without a body must have beside its own to be AWS' Signature Version 4. `headers` have lower-case
 * names and are signed all, with the host.
 * Source: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html.
 */
export function signedHeaders(
  request: { method: string; url: URL; headers?: Record<string, string> },
  credentials: AwsCredentials,
  { region, service, nowMs }: SigningScope & { nowMs: number },
): Record<string, string> {
  const time = new Date(nowMs).toISOString().replace(/[-:]|\.\d+/g, '');
  const { accessKeyId, secretAccessKey, sessionToken } = credentials;
  const added = {
    'x-amz-date': time,
    ...(service === 's3' && { 'x-amz-content-sha256': emptyBodySha256 }),
    ...(sessionToken && { 'x-amz-security-token': sessionToken }),
  };
  const signed = Object.entries({ host: request.url.host, ...request.headers, ...added }).sort(byName);
  const names = signed.map(([name]) => name).join(';');
  const canonical = [
    request.method,
    request.url.pathname,
    canonicalQuery(request.url.searchParams),
    ...signed.map(([name, value]) => `${name}:${value.trim().replace(/ +/g, ' ')}`),
    '',
    names,
    emptyBodySha256,
  ].join('\n');
  const scope = `${time.slice(0, 8)}/${region}/${service}/aws4_request`;
  const toSign = ['AWS4-HMAC-SHA256', time, scope, sha256(canonical)].join('\n');
  const key = scope.split('/').reduce<string | Buffer>(hmac, `AWS4${secretAccessKey}`);
  const signature = hmac(key, toSign).toString('hex');
  const authorization = `AWS4-HMAC-SHA256 Credential=${accessKeyId}/${scope},SignedHeaders=${names},Signature=${signature}`;
  return { ...added, authorization };
}

/** The path of a URL with all encoded but what RFC 3986 leaves open, as a signature has it. */
export const encodePath = (path: string): string => path.split('/').map(encode).join('/');

function canonicalQuery(query: URLSearchParams): string {
  const parts = [...query].map(([name, value]) => [encode(name), encode(value)] as const);
  return parts
    .sort((a, b) => byName(a, b) || (a[1] < b[1] ? -1 : 1))
    .map((part) => part.join('='))
    .join('&');
}

function encode(text: string): string {
  const code = (char: string) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`;
  return encodeURIComponent(text).replace(/[!'()*]/g, code);
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();
const byName = ([a]: readonly [string, ...unknown[]], [b]: readonly [string, ...unknown[]]): number =>
  a < b ? -1 : a > b ? 1 : 0;
