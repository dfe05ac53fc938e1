import {
  accountNameAnnotation,
  accountUidAnnotation,
  type Secret,
  secret as secretKind,
  tokenSecretType,
} from '../api/kinds/secret.ts';
import { serviceAccount as accountKind, type ServiceAccount } from '../api/kinds/serviceAccount.ts';
import type { KubeObject } from '../api/object.ts';
import { isStatus } from '../base/errors.ts';
import type { Running } from '../base/lifecycle.ts';
import { type Context, runController, source } from './controller.ts';

/** As long as the API gives tokens for; it ends with its Secret and with its account. */
const lifetimeSeconds = 2 ** 32;

interface TokenRequest extends KubeObject {
  spec: object;
  status?: { token: string };
}

/** What is to become of a Secret that asks for a token of a service account. Pure. */
export function planToken(
  { metadata, data = {} }: Secret,
  account: ServiceAccount | undefined,
): 'delete' | 'fill' | 'keep' {
  const uid = metadata?.annotations?.[accountUidAnnotation];
  const isGone = !account || account.metadata?.deletionTimestamp !== undefined;
  if (isGone || (uid && uid !== account.metadata?.uid)) return 'delete';
  return uid && data.token && data['ca.crt'] && data.namespace ? 'keep' : 'fill';
}

/**
 * Fills Secrets of the type `kubernetes.io/service-account-token`, and deletes those whose account is gone. The tokens
 * are bound to their Secret.
 * Source: https://kubernetes.io/docs/concepts/configuration/secret/#serviceaccount-token-secrets
 */
export function run(context: Context, { caPem }: { caPem: string }): Running {
  const { client, informers } = context;
  const secrets = informers.of(secretKind);
  const accounts = informers.of(accountKind);

  async function reconcile(key: string): Promise<undefined> {
    const secret = secrets.get(key);
    if (!secret || secret.type !== tokenSecretType || secret.metadata?.deletionTimestamp) return;
    const { name = '', namespace = '', uid } = secret.metadata!;
    const account = accounts.get(`${namespace}/${accountOf(secret)}`);
    const plan = planToken(secret, account);
    if (plan === 'keep') return;
    if (plan === 'delete') {
      // A cache may be behind the account that was made with the Secret.
      if (await exists(secret)) return;
      await client.delete(secretKind, { name, namespace }).catch(ignoreMissing);
      return;
    }
    const encode = (text: string) => Buffer.from(text).toString('base64');
    const annotations = { ...secret.metadata?.annotations, [accountUidAnnotation]: account!.metadata!.uid! };
    const data = {
      ...secret.data,
      'ca.crt': encode(caPem),
      namespace: encode(namespace),
      token: encode(await tokenOf(account!, { name, uid: uid! })),
    };
    await client.update(secretKind, { ...secret, metadata: { ...secret.metadata, annotations }, data });
  }

  async function exists(secret: Secret): Promise<boolean> {
    const at = { name: accountOf(secret), namespace: secret.metadata?.namespace };
    const known = secret.metadata?.annotations?.[accountUidAnnotation];
    try {
      const { metadata } = await client.get(accountKind, at);
      return !metadata?.deletionTimestamp && (!known || known === metadata?.uid);
    } catch (error) {
      if (isStatus(error, 'NotFound')) return false;
      throw error;
    }
  }

  async function tokenOf(account: ServiceAccount, bound: { name: string; uid: string }): Promise<string> {
    const { name, namespace } = account.metadata!;
    const request: TokenRequest = {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      metadata: { name, namespace },
      spec: {
        expirationSeconds: lifetimeSeconds,
        boundObjectRef: { apiVersion: 'v1', kind: 'Secret', ...bound },
      },
    };
    const answer = await client.create(accountKind as never, request as never, { subresource: 'token' });
    // A TokenRequest is answered by itself, with its status filled in.
    return (answer as TokenRequest).status!.token;
  }

  return runController(context, {
    name: 'service-account-token',
    sources: [
      source(secretKind, ({ key, type, object }) =>
        type !== 'deleted' && object.type === tokenSecretType ? [key] : [],
      ),
      source(accountKind, ({ object: { metadata } }) =>
        secrets
          .list()
          .filter((secret) => secret.type === tokenSecretType && accountOf(secret) === metadata?.name)
          .filter((secret) => secret.metadata?.namespace === metadata?.namespace)
          .map((secret) => `${secret.metadata?.namespace}/${secret.metadata?.name}`),
      ),
    ],
    reconcile,
  });
}

function accountOf({ metadata }: Secret): string {
  return metadata?.annotations?.[accountNameAnnotation] ?? '';
}

function ignoreMissing(error: unknown): void {
  if (!isStatus(error, 'NotFound')) throw error;
}
