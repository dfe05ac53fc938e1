import type { X509Certificate } from 'node:crypto';
import { connect, type TLSSocket } from 'node:tls';
import { messageOf, StatusError } from '../base/errors.ts';
import { hashOf } from './authority.ts';

const chainLengthMax = 8;

/**
 * Fetches the cluster authority's certificate (PEM) from a server that nothing is known of but `caHash`: it must be in
 * the chain that the server presents and must have issued it. Unauthorized when another authority answers,
 * ServiceUnavailable when nobody does. Connections that follow are verified with the result.
 */
export async function fetchPinnedCa(options: {
  host: string;
  port: number;
  caHash: string;
  timeoutMs?: number;
}): Promise<string> {
  const { host, port, caHash, timeoutMs = 10_000 } = options;
  const chain = await presentedChain(host, port, timeoutMs);
  const index = chain.findIndex((certificate) => hashOf(certificate) === caHash.toLowerCase());
  const authority = chain[index];
  if (!authority) {
    const seen = chain.at(-1);
    throw refused(
      host,
      port,
      `its certificates lead to the authority ${seen ? hashOf(seen) : '(none)'}, but the join token names ${caHash}. ` +
        'Check the address and the token: either the token is of another cluster, or someone stands in between',
    );
  }
  const path = chain.slice(0, index + 1);
  const isIssued = path.every((certificate, depth) => {
    const issuer = path[depth + 1] ?? authority;
    return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
  });
  if (!isIssued || !authority.ca)
    throw refused(host, port, 'its certificate was not issued by the authority it presents');
  return authority.toString();
}

/** The server's certificate first, then each one's issuer. */
function presentedChain(host: string, port: number, timeoutMs: number): Promise<X509Certificate[]> {
  return new Promise((resolve, reject) => {
    // Nothing can be verified before the authority is known; nothing is sent on this connection.
    const socket = connect({ host, port, rejectUnauthorized: false, minVersion: 'TLSv1.2' });
    const fail = (cause: unknown) => {
      socket.destroy();
      reject(
        new StatusError(
          'ServiceUnavailable',
          `Cannot reach the control plane at ${host}:${port}: ${messageOf(cause)}. Check the address, and that it runs.`,
          { cause },
        ),
      );
    };
    socket.setTimeout(timeoutMs, () => fail(new Error(`no answer within ${timeoutMs} ms`)));
    socket.once('error', fail);
    socket.once('close', () => fail(new Error('the connection was closed')));
    socket.once('secureConnect', () => {
      resolve(chainOf(socket));
      socket.destroy();
    });
  });
}

function chainOf(socket: TLSSocket): X509Certificate[] {
  const chain: X509Certificate[] = [];
  let next = socket.getPeerX509Certificate();
  while (next && chain.length < chainLengthMax) {
    chain.push(next);
    next = next.issuerCertificate;
  }
  return chain;
}

function refused(host: string, port: number, why: string): StatusError {
  return new StatusError('Unauthorized', `The server at ${host}:${port} is not the cluster to join: ${why}.`);
}
