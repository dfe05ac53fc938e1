/** Who makes a request, as authentication found out. */
export interface User {
  name: string;
  groups: readonly string[];
  uid?: string;
  /** What else is known, such as the pod that a token was made for. */
  extra?: Readonly<Record<string, readonly string[]>>;
}

/** What a client showed on an HTTP request; at most one of them is tried, the certificate first. */
export interface Credentials {
  /** A client certificate that the TLS layer has verified against the cluster's authority; `sha256` is that of its DER, in hex. */
  certificate?: { commonName: string; organizations: readonly string[]; sha256: string };
  /** From `Authorization: Bearer`, or the password of `Authorization: Basic`. */
  token?: string;
}

/** Turns credentials into a user; undefined when they say nothing to this authenticator. */
export type Authenticator = (credentials: Credentials) => User | undefined | Promise<User | undefined>;

/** The user of in-process callers: the controllers and the scheduler. */
export const inProcessAdmin: User = { name: 'system:selvage', groups: ['system:masters'] };

export const authenticatedGroup = 'system:authenticated';
export const unauthenticatedGroup = 'system:unauthenticated';

/** Who says nothing of themselves. */
export const anonymous: User = { name: 'system:anonymous', groups: [unauthenticatedGroup] };

/** Verifies a token and says who owns it, as `identity/tokens.ts` does. */
export interface TokenVerifier {
  verify(token: string): { user: string; groups: readonly string[] } | undefined;
}

/** Bearer tokens from the cluster's token file. */
export function tokenAuthenticator(tokens: TokenVerifier): Authenticator {
  return ({ token }) => {
    const known = token === undefined ? undefined : tokens.verify(token);
    return known && { name: known.user, groups: [...known.groups, authenticatedGroup] };
  };
}

/** Trusts a verified client certificate: the common name is the user, the organizations are the groups. */
export const certificateAuthenticator: Authenticator = ({ certificate }) =>
  certificate && certificate.commonName !== ''
    ? {
        name: certificate.commonName,
        groups: [...certificate.organizations, authenticatedGroup],
        extra: { 'authentication.kubernetes.io/credential-id': [`X509SHA256=${certificate.sha256}`] },
      }
    : undefined;
