import type { ApiResponse } from '../client/transport.ts';
import type { ServiceAccountTokens } from '../identity/service-account-token.ts';
import { noSuchPath } from './failures.ts';

/**
 * What others need in order to verify service account tokens: OpenID Connect's discovery document and the keys.
 * Source: https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/#service-account-issuer-discovery
 */
export function answerTokenIssuer(path: string, tokens: ServiceAccountTokens | undefined): ApiResponse {
  if (!tokens) throw noSuchPath();
  const cached = { 'cache-control': 'public, max-age=3600' };
  switch (path.replace(/\/$/, '')) {
    case '/.well-known/openid-configuration': {
      const object = {
        issuer: tokens.issuer,
        jwks_uri: `${tokens.issuer}/openid/v1/jwks`,
        response_types_supported: ['id_token'],
        subject_types_supported: ['public'],
        id_token_signing_alg_values_supported: ['ES256'],
      };
      return {
        code: 200,
        headers: { 'content-type': 'application/json', ...cached },
        kind: 'object',
        object,
      };
    }
    case '/openid/v1/jwks': {
      const headers = { 'content-type': 'application/jwk-set+json', ...cached };
      return { code: 200, headers, kind: 'object', object: tokens.jwks() };
    }
    default:
      throw noSuchPath();
  }
}
