import type { KubeObject } from '../../api/object.ts';
import { isStatus } from '../../base/errors.ts';
import { badRequest } from '../failures.ts';
import { isRecord } from '../options.ts';
import type { ServiceAccountAuthenticator } from '../service-account-authenticator.ts';
import type { Authenticator, User } from '../user.ts';
import { userInfo } from './user-info.ts';

/** Those who know tokens, and for whom this server's own tokens are meant. */
export interface TokenReaders {
  authenticators: readonly Authenticator[];
  serviceAccounts: ServiceAccountAuthenticator | undefined;
  /** The audience of a token that names none: the issuer of service account tokens. */
  audience: string;
}

/** Answers TokenReview: whose token is this? */
export async function reviewToken(
  body: Record<string, unknown>,
  readers: TokenReaders,
): Promise<Partial<KubeObject> & Record<string, unknown>> {
  const spec = isRecord(body.spec) ? body.spec : {};
  const token = String(spec.token ?? '');
  if (token === '') throw badRequest('token is required for TokenReview in authentication');
  const asked = Array.isArray(spec.audiences) ? spec.audiences.filter((one) => typeof one === 'string') : [];
  const audiences = asked.length > 0 ? asked : [readers.audience];
  const found = await find(token, audiences, readers);
  if (!found) return { spec, status: { user: {}, error: 'invalid bearer token' } };
  return { spec, status: { authenticated: true, user: userInfo(found.user), audiences: found.audiences } };
}

async function find(
  token: string,
  audiences: readonly string[],
  { authenticators, serviceAccounts, audience }: TokenReaders,
): Promise<{ user: User; audiences: string[] } | undefined> {
  // Tokens of the token file are for this server only.
  if (audiences.includes(audience)) {
    for (const authenticator of authenticators) {
      const user = await authenticator({ token });
      if (user) return { user, audiences: [audience] };
    }
  }
  let account: User | undefined;
  const matching = audiences.filter((one) => {
    const user = orNobody(() => serviceAccounts?.(token, one));
    account ??= user;
    return user !== undefined;
  });
  return account && { user: account, audiences: matching };
}

function orNobody(read: () => User | undefined): User | undefined {
  try {
    return read();
  } catch (error) {
    if (isStatus(error, 'Unauthorized')) return undefined;
    throw error;
  }
}
