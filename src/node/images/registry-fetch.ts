import { Agent, request as httpsRequest } from 'node:https';
import { Readable } from 'node:stream';
import { StatusError } from '../../base/errors.ts';
import type { Fetch } from '../../oci/registry-client.ts';

export interface RegistryCredentials {
  clientCertificatePem?: string | undefined;
  clientKeyPem?: string | undefined;
  token?: string | undefined;
}

/** Statuses whose answers have no body (RFC 9110). */
const bodiless = new Set([101, 204, 205, 304]);

/** A `fetch` that trusts only the cluster's authority and shows the node's certificate (as it is now) or token. */
export function registryFetch(options: { caPem: string; credentials: () => RegistryCredentials }): Fetch {
  return (url, init) => {
    const { clientCertificatePem, clientKeyPem, token } = options.credentials();
    const agent = new Agent({
      ca: options.caPem,
      ...(clientCertificatePem && { cert: clientCertificatePem, key: clientKeyPem }),
    });
    return new Promise((resolve, reject) => {
      const sent = httpsRequest(url, {
        method: init.method,
        headers: { ...init.headers, ...(token && { authorization: `Bearer ${token}` }) },
        agent,
        ...(init.signal && { signal: init.signal }),
      });
      sent.on('response', (answer) => {
        const status = answer.statusCode ?? 500;
        const headers = new Headers();
        for (const [name, value] of Object.entries(answer.headers)) headers.set(name, String(value));
        const hasBody = !bodiless.has(status) && init.method !== 'HEAD';
        if (!hasBody) answer.resume();
        // Node's web streams and the DOM's are the same at run time.
        const body = hasBody ? (Readable.toWeb(answer) as unknown as ReadableStream) : null;
        resolve(new Response(body, { status, headers }));
      });
      sent.on('error', (cause) => {
        const message = `cannot reach ${new URL(url).host}: ${cause.message}`;
        reject(init.signal?.aborted ? cause : new StatusError('ServiceUnavailable', message, { cause }));
      });
      sent.end(init.body);
    });
  };
}
