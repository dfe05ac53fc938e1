import type { Readable } from 'node:stream';
import type { ApiServiceSpec } from '../../api/kinds/apiService.ts';
import { forward } from '../proxy/forward.ts';
import { overTls, type Upstream } from '../proxy/upstream.ts';
import type { ServiceDial } from '../service-dial.ts';
import type { User } from '../user.ts';
import { identityHeaders } from './identity-headers.ts';

/** What this server shows to those that it passes requests on to, so that they believe whom it names. */
export interface FrontProxy {
  /** The authority of the certificate: `requestheader-client-ca-file`. */
  caPem: string;
  /** The authority of clients: `client-ca-file`. */
  clientCaPem: string;
  /** Common names that others may trust: `requestheader-allowed-names`. */
  allowedNames: string[];
  current(): { certPem: string; keyPem: string };
}

export interface Reach {
  dialService: ServiceDial;
  /** Without it they get no certificate, and most will refuse. */
  frontProxy: FrontProxy | undefined;
}

/** Where an APIService's requests go. */
export function remoteOf(
  { service, caBundle, insecureSkipTLSVerify = false }: ApiServiceSpec,
  { dialService, frontProxy }: Reach,
): Upstream {
  const { namespace = '', name = '', port = 443 } = service ?? {};
  const servername = `${name}.${namespace}.svc`;
  return {
    host: `${servername}:${port}`,
    async connect(signal) {
      const shown = frontProxy?.current();
      return overTls(await dialService({ namespace, name, port }, signal), {
        servername,
        rejectUnauthorized: !insecureSkipTLSVerify,
        ...(caBundle && { ca: Buffer.from(caBundle, 'base64') }),
        ...(shown && { cert: shown.certPem, key: shown.keyPem }),
      });
    },
  };
}

/** As whom this server asks for itself. */
export const aggregator: User = { name: 'system:kube-aggregator', groups: ['system:masters'] };

/** An answer that is read whole, at most. */
export const answerBytesMax = 32 * 1024 * 1024;
const answerTimeoutMs = 5_000;

/** Reads a path of another server as this server itself; rejects with why not. */
export async function readFrom(
  upstream: Upstream,
  path: string,
  headers: Record<string, string> = {},
): Promise<{ code: number; headers: Record<string, string | string[]>; text: string }> {
  const signal = AbortSignal.timeout(answerTimeoutMs);
  const incoming = { method: 'GET', search: '', headers: {}, body: undefined, address: undefined };
  const sent = { ...headers, ...identityHeaders(aggregator) };
  const answer = await forward({ upstream, incoming, path, headers: sent, prefix: '', signal });
  return { code: answer.code, headers: answer.headers, text: await textOf(answer.bytes) };
}

async function textOf(bytes: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of bytes as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > answerBytesMax) throw new Error(`the answer has more than ${answerBytesMax} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
