import { createHash, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { connect, type DetailedPeerCertificate } from 'node:tls';
import { messageOf, StatusError } from '../../base/errors.ts';

const connectTimeoutMs = 10_000;
const chainLengthMax = 10;

/**
 * Fetches the authority in the server's TLS chain and trusts it only if its hash is the pinned one, so that nothing
 * secret is sent to a server that merely answers at that address.
 */
export async function pinnedAuthority(server: string, caHash: string): Promise<string> {
  const { hostname, port } = new URL(server);
  const host = hostname.replace(/^\[|\]$/g, '');
  const chain = await peerChain(host, Number(port || 443), server);
  const pinned = chain.find((raw) => createHash('sha256').update(raw).digest('hex') === caHash);
  if (pinned) return new X509Certificate(pinned).toString();
  throw new StatusError(
    'Unauthorized',
    `the server at ${server} does not have the authority that the join token names: it is another cluster's, ` +
      'or somebody stands in between. Get a fresh token from that server',
  );
}

function peerChain(host: string, port: number, server: string): Promise<Buffer[]> {
  return new Promise((resolve, reject) => {
    const fail = (cause: unknown) =>
      reject(new StatusError('ServiceUnavailable', `cannot reach ${server}: ${messageOf(cause)}`, { cause }));
    // Nothing is trusted yet: the caller compares hashes before it sends anything.
    const socket = connect({
      host,
      port,
      rejectUnauthorized: false,
      ...(isIP(host) === 0 && { servername: host }),
    });
    socket.setTimeout(connectTimeoutMs, () => socket.destroy(new Error('no answer within 10 s')));
    socket.once('error', fail);
    socket.once('secureConnect', () => {
      resolve(rawChain(socket.getPeerCertificate(true)));
      socket.destroy();
    });
  });
}

function rawChain(leaf: DetailedPeerCertificate): Buffer[] {
  const chain: Buffer[] = [];
  let at: DetailedPeerCertificate | undefined = leaf;
  while (at?.raw && chain.length < chainLengthMax && !chain.some((raw) => raw.equals(at!.raw))) {
    chain.push(at.raw);
    at = at.issuerCertificate;
  }
  return chain;
}
