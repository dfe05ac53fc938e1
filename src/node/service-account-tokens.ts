import { serviceAccount } from '../api/addresses.ts';
import type { KubeObject } from '../api/object.ts';
import type { Clock } from '../base/clock.ts';
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

/** Tokens remembered, one for each pod and audience; the one unused for longest is forgotten. */
const tokensMax = 1024;

/**
 * Tokens from the API server's TokenRequest (authentication.k8s.io/v1); none where the server doesn't offer it. One is
 * used again until 80% of its life has passed, as kubelet does.
 */
export function serviceAccountTokens(client: Client, clock: Clock): TokenSource {
  const tokens = new Map<string, { token: string; renewAtMs: number }>();
  const ask = askFor(client);
  return async (wanted) => {
    const key = `${wanted.pod.uid}/${wanted.audience ?? ''}/${wanted.expirationSeconds}`;
    const known = tokens.get(key);
    if (known && clock.nowMs() < known.renewAtMs) return known.token;
    const token = await ask(wanted);
    if (token === undefined) return known?.token;
    tokens.delete(key);
    tokens.set(key, { token, renewAtMs: clock.nowMs() + wanted.expirationSeconds * 800 });
    if (tokens.size > tokensMax) tokens.delete(tokens.keys().next().value!);
    return token;
  };
}

function askFor(client: Client): TokenSource {
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
