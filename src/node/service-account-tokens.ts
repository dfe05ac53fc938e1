import { serviceAccount } from '../api/kinds/serviceAccount.ts';
import type { KubeObject } from '../api/object.ts';
import { isStatus } from '../base/errors.ts';
import type { Client } from '../client/client.ts';
import type { TokenSource } from './volumes/volume-files.ts';

interface TokenRequest extends KubeObject {
  spec: {
    audiences?: string[];
    expirationSeconds: number;
    boundObjectRef: { apiVersion: string; kind: string; name: string; uid: string };
  };
  status?: { token: string };
}

/** Tokens from the API server's TokenRequest (authentication.k8s.io/v1); none where the server doesn't offer it. */
export function serviceAccountTokens(client: Client): TokenSource {
  return async ({ namespace, serviceAccount: name, audience, expirationSeconds, pod }) => {
    const request: TokenRequest = {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      metadata: { namespace, name },
      spec: {
        ...(audience && { audiences: [audience] }),
        expirationSeconds,
        boundObjectRef: { apiVersion: 'v1', kind: 'Pod', ...pod },
      },
    };
    try {
      const answer = await client.create<KubeObject>(serviceAccount, request, { subresource: 'token' });
      // A TokenRequest is answered by itself, with its status filled in.
      return (answer as TokenRequest).status?.token;
    } catch (error) {
      const isNotOffered = (
        ['NotFound', 'Forbidden', 'MethodNotAllowed', 'ServiceUnavailable'] as const
      ).some((reason) => isStatus(error, reason));
      if (isNotOffered) return undefined;
      throw error;
    }
  };
}
