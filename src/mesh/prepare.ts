/** A request ready to be sent, and to be sent again where its body allows. */
export interface PreparedRequest {
  url: URL;
  method: string;
  headers: Record<string, string>;
  body: Uint8Array | string | ReadableStream<Uint8Array> | undefined;
  signal: AbortSignal | undefined;
  redirect: 'follow' | 'error' | 'manual';
}

/** Hop-by-hop fields are the connection's, not the caller's. */
const forbidden = ['connection', 'keep-alive', 'transfer-encoding', 'upgrade', 'te', 'trailer', 'expect'];

/** Reads `fetch`'s arguments. Bodies of text and bytes are kept as they are, so that they can be sent twice. */
export function prepare(input: RequestInfo | URL, init: RequestInit | undefined): PreparedRequest {
  const request =
    input instanceof Request ? new Request(input, init) : new Request(String(input), withDuplex(init));
  const headers: Record<string, string> = Object.fromEntries(request.headers);
  for (const name of forbidden) delete headers[name];
  const kept = init?.body ?? undefined;
  const body =
    typeof kept === 'string' || kept instanceof Uint8Array
      ? kept
      : kept instanceof URLSearchParams
        ? kept.toString()
        : kept instanceof ArrayBuffer
          ? new Uint8Array(kept)
          : (request.body ?? undefined);
  if (body !== undefined && !(body instanceof ReadableStream)) {
    headers['content-length'] = String(typeof body === 'string' ? Buffer.byteLength(body) : body.byteLength);
  } else if (body === undefined && ['POST', 'PUT', 'PATCH'].includes(request.method)) {
    headers['content-length'] = '0';
  }
  const url = new URL(request.url);
  headers.host ??= url.host;
  headers.accept ??= '*/*';
  headers['user-agent'] ??= 'node';
  const signal = init?.signal ?? (input instanceof Request ? request.signal : undefined);
  return {
    url,
    method: request.method,
    headers,
    body,
    signal: signal ?? undefined,
    redirect: request.redirect,
  };
}

/** The next request of a redirect, an error if it must not be followed, or nothing if the response is the answer. */
export function redirected(
  request: PreparedRequest,
  status: number,
  location: string | undefined,
): PreparedRequest | Error | undefined {
  if (
    ![301, 302, 303, 307, 308].includes(status) ||
    location === undefined ||
    request.redirect === 'manual'
  ) {
    return undefined;
  }
  if (request.redirect === 'error') return new TypeError(`fetch("${request.url.href}"): unexpected redirect`);
  if (!URL.canParse(location, request.url)) return new TypeError(`redirect to an invalid URL: ${location}`);
  const url = new URL(location, request.url);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    return new TypeError(`fetch("${request.url.href}"): redirect to ${url.protocol} is not followed`);
  }
  const headers: Record<string, string> = { ...request.headers, host: url.host };
  if (url.origin !== request.url.origin) {
    for (const name of ['authorization', 'cookie', 'proxy-authorization']) delete headers[name];
  }
  const isRewritten =
    (status === 303 && request.method !== 'HEAD') || (status < 303 && request.method === 'POST');
  if (!isRewritten && request.body instanceof ReadableStream) {
    return new TypeError(`fetch("${request.url.href}"): a streamed body cannot follow a ${status} redirect`);
  }
  if (!isRewritten) return { ...request, url, headers };
  for (const name of ['content-length', 'content-type', 'content-encoding']) delete headers[name];
  return { ...request, url, headers, method: 'GET', body: undefined };
}

/** The standard asks for `duplex` with streamed bodies; it is the only value there is. */
function withDuplex(init: RequestInit | undefined): RequestInit | undefined {
  if (!(init?.body instanceof ReadableStream)) return init;
  return { ...init, duplex: 'half' } as RequestInit;
}
