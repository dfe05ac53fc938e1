import { Agent, request as httpsRequest } from 'node:https';
import { Readable } from 'node:stream';
import { StatusError } from '../../base/errors.ts';
import type { Fetch, RegistryResponse } from '../../oci/registry-client.ts';

export interface RegistryCredentials {
  clientCertificatePem?: string | undefined;
  clientKeyPem?: string | undefined;
  token?: string | undefined;
}

/** A pull is a handful of requests in a row; afterwards its connections go. */
const idleMs = 5_000;
/** Connections at a time; more requests wait for a free one. */
export const socketsMax = 8;
/** Statuses whose answers have no body (RFC 9110). */
const bodiless = new Set([101, 204, 205, 304]);

/** Requests to a registry over connections of its own, which `close` ends. */
export type RegistryFetch = Fetch & { close(): void };

/** A `fetch` that trusts only the cluster's authority and shows the node's certificate (as it is now) or token. */
export function registryFetch(options: {
  caPem: string;
  credentials: () => RegistryCredentials;
}): RegistryFetch {
  let connections: { certificate: string | undefined; agent: Agent } | undefined;
  const agentFor = ({ clientCertificatePem, clientKeyPem }: RegistryCredentials): Agent => {
    if (connections && connections.certificate === clientCertificatePem) return connections.agent;
    // Nothing is on its way that wants the older certificate for long: its connections go as they become idle.
    if (connections) connections.agent.maxFreeSockets = 0;
    const identity = clientCertificatePem && { cert: clientCertificatePem, key: clientKeyPem };
    const agent = new Agent({
      ca: options.caPem,
      ...identity,
      keepAlive: true,
      timeout: idleMs,
      maxSockets: socketsMax,
      maxFreeSockets: socketsMax,
    });
    connections = { certificate: clientCertificatePem, agent };
    return agent;
  };
  const fetch: Fetch = (url, init) => {
    const credentials = options.credentials();
    const { token } = credentials;
    const agent = agentFor(credentials);
    return new Promise((resolve, reject) => {
      const sent = httpsRequest(url, {
        method: init.method,
        headers: { ...init.headers, ...(token && { authorization: `Bearer ${token}` }) },
        agent,
        ...(init.signal && { signal: init.signal }),
      });
      sent.on('response', (answer) => {
        const status = answer.statusCode ?? 500;
        const hasBody = !bodiless.has(status) && init.method !== 'HEAD';
        if (!hasBody) answer.resume();
        // Node's web streams and the DOM's are the same at run time.
        const body = hasBody ? (Readable.toWeb(answer) as unknown as RegistryResponse['body']) : null;
        const { statusMessage: statusText = '', headers } = answer;
        const get = (name: string) => headers[name.toLowerCase()]?.toString() ?? null;
        resolve({ status, ok: status >= 200 && status < 300, statusText, headers: { get }, body });
      });
      sent.on('error', (cause) => {
        const message = `cannot reach ${new URL(url).host}: ${cause.message}`;
        reject(init.signal?.aborted ? cause : new StatusError('ServiceUnavailable', message, { cause }));
      });
      sent.end(init.body);
    });
  };
  return Object.assign(fetch, { close: () => connections?.agent.destroy() });
}
