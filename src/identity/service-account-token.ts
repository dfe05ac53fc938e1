import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomUUID,
  sign,
  verify,
} from 'node:crypto';
import { type Clock, systemClock } from '../base/clock.ts';
import { StatusError } from '../base/errors.ts';
import { loadOrCreateFile } from './key-file.ts';

interface Reference {
  name: string;
  uid: string;
}

/** What a token says, in the claim layout of Kubernetes' bound service account tokens. Times are Unix seconds. */
export interface ServiceAccountClaims {
  iss: string;
  /** `system:serviceaccount:<namespace>:<name>`: the user name. */
  sub: string;
  aud: string[];
  exp: number;
  iat: number;
  nbf: number;
  jti: string;
  'kubernetes.io': {
    namespace: string;
    serviceaccount: Reference;
    pod?: Reference;
    secret?: Reference;
    node?: Reference;
  };
}

export interface ServiceAccountTokenRequest {
  namespace: string;
  serviceAccount: Reference;
  pod?: Reference | undefined;
  secret?: Reference | undefined;
  node?: Reference | undefined;
  /** The issuer itself when empty or absent. */
  audiences?: string[] | undefined;
  lifetimeSeconds: number;
}

export interface Jwk {
  kty: string;
  crv: string;
  x: string;
  y: string;
  kid: string;
  alg: string;
  use: string;
}

/** Issues and verifies service account tokens: JWTs signed with ES256 (RFC 7515, RFC 7518 section 3.4). */
export interface ServiceAccountTokens {
  readonly issuer: string;
  issue(request: ServiceAccountTokenRequest): { token: string; expirationMs: number };
  /** Unauthorized says why: not ours, altered, expired, not yet valid, or for another audience. */
  verify(token: string, options?: { audience?: string }): ServiceAccountClaims;
  /** The public key, for `/openid/v1/jwks`. */
  jwks(): { keys: Jwk[] };
}

/** Kubernetes' own bounds on a requested lifetime start at ten minutes; 2^32 seconds end them. */
const lifetimeSecondsMin = 600;
const lifetimeSecondsMax = 2 ** 32;
const tokenLengthMax = 16 * 1024;
/** Clocks of two machines may differ by this much when "not before" is checked. */
const skewSeconds = 60;

export function openServiceAccountTokens(options: {
  /** The private key's file; made when missing. */
  keyPath: string;
  issuer?: string;
  clock?: Clock;
}): ServiceAccountTokens {
  const { keyPath, issuer = 'https://kubernetes.default.svc.cluster.local', clock = systemClock } = options;
  const pem = loadOrCreateFile(keyPath, () =>
    generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' }),
  );
  return new Es256Tokens(createPrivateKey(pem), issuer, clock);
}

class Es256Tokens implements ServiceAccountTokens {
  readonly issuer: string;
  #privateKey: KeyObject;
  #publicKey: KeyObject;
  #keyId: string;
  #clock: Clock;

  constructor(privateKey: KeyObject, issuer: string, clock: Clock) {
    this.issuer = issuer;
    this.#privateKey = privateKey;
    this.#publicKey = createPublicKey(privateKey);
    const der = this.#publicKey.export({ type: 'spki', format: 'der' });
    this.#keyId = createHash('sha256').update(der).digest('base64url');
    this.#clock = clock;
  }

  issue(request: ServiceAccountTokenRequest): { token: string; expirationMs: number } {
    const { namespace, serviceAccount, pod, secret, node, audiences = [], lifetimeSeconds } = request;
    if (!(lifetimeSeconds >= lifetimeSecondsMin && lifetimeSeconds <= lifetimeSecondsMax)) {
      throw new StatusError(
        'Invalid',
        `spec.expirationSeconds: Invalid value: ${lifetimeSeconds}: may not specify a duration less than 10 minutes or more than 2^32 seconds`,
      );
    }
    const nowSeconds = Math.floor(this.#clock.nowMs() / 1000);
    const claims: ServiceAccountClaims = {
      aud: audiences.length > 0 ? audiences : [this.issuer],
      exp: nowSeconds + Math.floor(lifetimeSeconds),
      iat: nowSeconds,
      iss: this.issuer,
      jti: randomUUID(),
      'kubernetes.io': {
        namespace,
        ...(node && { node }),
        ...(pod && { pod }),
        ...(secret && { secret }),
        serviceaccount: serviceAccount,
      },
      nbf: nowSeconds,
      sub: `system:serviceaccount:${namespace}:${serviceAccount.name}`,
    };
    const signed = `${encodePart({ alg: 'ES256', kid: this.#keyId, typ: 'JWT' })}.${encodePart(claims)}`;
    const signature = sign('sha256', Buffer.from(signed), {
      key: this.#privateKey,
      dsaEncoding: 'ieee-p1363',
    });
    return { token: `${signed}.${signature.toString('base64url')}`, expirationMs: claims.exp * 1000 };
  }

  verify(token: string, options: { audience?: string } = {}): ServiceAccountClaims {
    const claims = this.#verifySignature(token);
    const audience = options.audience ?? this.issuer;
    const nowSeconds = this.#clock.nowMs() / 1000;
    if (claims.iss !== this.issuer) throw unauthorized(`it was issued by ${claims.iss}, not ${this.issuer}`);
    if (nowSeconds >= claims.exp) throw unauthorized(`it expired at ${toIso(claims.exp)}`);
    if (nowSeconds + skewSeconds < claims.nbf)
      throw unauthorized(`it is not valid before ${toIso(claims.nbf)}`);
    if (!claims.aud.includes(audience))
      throw unauthorized(`it is for ${claims.aud.join(', ')}, not ${audience}`);
    return claims;
  }

  jwks(): { keys: Jwk[] } {
    const { kty, crv, x, y } = this.#publicKey.export({ format: 'jwk' }) as Pick<
      Jwk,
      'kty' | 'crv' | 'x' | 'y'
    >;
    return { keys: [{ use: 'sig', kty, kid: this.#keyId, crv, alg: 'ES256', x, y }] };
  }

  /** Only ES256 with this key is accepted, whatever the token's header asks for. */
  #verifySignature(token: string): ServiceAccountClaims {
    const parts = token.split('.');
    if (token.length > tokenLengthMax || parts.length !== 3) throw unauthorized('it is not a JWT');
    const [header = '', payload = '', signature = ''] = parts;
    const isGenuine = verify(
      'sha256',
      Buffer.from(`${header}.${payload}`),
      { key: this.#publicKey, dsaEncoding: 'ieee-p1363' },
      Buffer.from(signature, 'base64url'),
    );
    if (!isGenuine) throw unauthorized('its signature is not from this cluster');
    // What this key signed was written by `issue`, so its shape is known.
    return JSON.parse(Buffer.from(payload, 'base64url').toString()) as ServiceAccountClaims;
  }
}

/** Whether a bearer token looks like a JWT, so that the right verifier can be asked. */
export function isJwt(token: string): boolean {
  return /^[\w-]+\.[\w-]+\.[\w-]+$/.test(token);
}

function encodePart(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url');
}

function toIso(seconds: number): string {
  return new Date(seconds * 1000).toISOString();
}

function unauthorized(why: string): StatusError {
  return new StatusError('Unauthorized', `The service account token is refused: ${why}.`);
}
