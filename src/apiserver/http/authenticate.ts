import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';
import { StatusError } from '../../base/errors.ts';
import type { Attributes, Decision } from '../authorization/authorize.ts';
import type { Authenticator, Credentials, User } from '../user.ts';
import { impersonate } from './impersonate.ts';

/**
 * Finds out as whom a request is made; undefined when it says nothing of itself. Throws Unauthorized for wrong
 * credentials, and Forbidden where it asks to be made as a user that its sender may not impersonate.
 */
export async function authenticate(
  request: IncomingMessage,
  options: { authenticators: readonly Authenticator[]; authorize(attributes: Attributes): Decision },
): Promise<User | undefined> {
  const user = await sender(request, options.authenticators);
  const isAnother = Object.keys(request.headers).some((name) => name.startsWith('impersonate-'));
  return user && isAnother ? impersonate(request, user, options.authorize) : user;
}

async function sender(
  request: IncomingMessage,
  authenticators: readonly Authenticator[],
): Promise<User | undefined> {
  const certificate = certificateOf(request);
  const token = tokenOf(request.headers.authorization);
  if (!certificate && token === undefined) return undefined;
  const shown: Credentials[] = [];
  if (certificate) shown.push({ certificate });
  if (token !== undefined) shown.push({ token });
  for (const credentials of shown) {
    for (const authenticator of authenticators) {
      const user = await authenticator(credentials);
      if (user) return user;
    }
  }
  throw new StatusError('Unauthorized', 'Unauthorized');
}

type Certificate = Credentials['certificate'];
/** Reading a certificate takes longer than a small request, so each connection does it once. */
const certificates = new WeakMap<TLSSocket, { certificate: Certificate }>();

function certificateOf({ socket }: IncomingMessage): Certificate {
  if (!(socket instanceof TLSSocket)) return undefined;
  let known = certificates.get(socket);
  if (!known) {
    known = { certificate: readCertificate(socket) };
    certificates.set(socket, known);
  }
  return known.certificate;
}

function readCertificate(socket: TLSSocket): Certificate {
  const { subject, raw } = socket.getPeerCertificate();
  if (!subject) return undefined;
  if (!socket.authorized) {
    throw new StatusError(
      'Unauthorized',
      `Unauthorized: the client certificate is not valid: ${socket.authorizationError}`,
    );
  }
  // Node's types say string, but a name that occurs several times comes as a list.
  const organizations = subject.O as string | string[] | undefined;
  const commonName = subject.CN as string | string[] | undefined;
  return {
    commonName: typeof commonName === 'string' ? commonName : '',
    organizations: organizations === undefined ? [] : [organizations].flat(),
    sha256: createHash('sha256').update(raw).digest('hex'),
  };
}

/** A bearer token, or the password of Basic authentication, which container tools send. */
function tokenOf(header: string | undefined): string | undefined {
  const match = /^(Bearer|Basic) +(\S+)$/i.exec(header ?? '');
  if (!match) return undefined;
  if (match[1]!.toLowerCase() === 'bearer') return match[2]!;
  const text = Buffer.from(match[2]!, 'base64').toString('utf8');
  return text.slice(text.indexOf(':') + 1);
}
