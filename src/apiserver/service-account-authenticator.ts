import type { KubeObject } from '../api/object.ts';
import type { Clock } from '../base/clock.ts';
import { StatusError } from '../base/errors.ts';
import { isJwt, type ServiceAccountTokens } from '../identity/service-account-token.ts';
import type { Store } from '../store/store.ts';
import { keyOf } from './stored.ts';
import { authenticatedGroup, type User } from './user.ts';

/** What is being deleted may still speak for so long, so that a pod can end in order. */
const deletedLeewayMs = 60_000;

export const serviceAccountUserPrefix = 'system:serviceaccount:';

/** The groups of every service account of a namespace, beside `system:authenticated`. */
export function serviceAccountGroups(namespace: string): string[] {
  return ['system:serviceaccounts', `system:serviceaccounts:${namespace}`];
}

/** Who a service account's token speaks for; undefined for what is no such token. Throws Unauthorized for a bad one. */
export type ServiceAccountAuthenticator = (token: string, audience?: string) => User | undefined;

/**
 * Accepts tokens that this cluster signed, as long as the service account that they name, and the pod, secret or node
 * that they are bound to, are still the ones they were made for.
 */
export function serviceAccountAuthenticator(options: {
  tokens: ServiceAccountTokens;
  store: Store;
  clock: Clock;
}): ServiceAccountAuthenticator {
  const { tokens, store, clock } = options;
  const check = (plural: string, namespace: string | undefined, reference: { name: string; uid: string }) => {
    const kind = { group: '', plural, namespaced: namespace !== undefined };
    const object = store.get(keyOf(kind, namespace, reference.name))?.value as KubeObject | undefined;
    const { uid, deletionTimestamp } = object?.metadata ?? {};
    const isGone = deletionTimestamp && Date.parse(deletionTimestamp) + deletedLeewayMs < clock.nowMs();
    if (uid === undefined || uid !== reference.uid || isGone) {
      throw new StatusError('Unauthorized', 'Unauthorized');
    }
  };
  return (token, audience) => {
    if (!isJwt(token)) return undefined;
    const claims = tokens.verify(token, audience === undefined ? {} : { audience });
    const { namespace, serviceaccount, pod, secret, node } = claims['kubernetes.io'];
    check('serviceaccounts', namespace, serviceaccount);
    if (pod) check('pods', namespace, pod);
    if (secret) check('secrets', namespace, secret);
    if (node && !pod) check('nodes', undefined, node);
    return {
      name: claims.sub,
      uid: serviceaccount.uid,
      groups: [...serviceAccountGroups(namespace), authenticatedGroup],
      extra: {
        ...extraOf('credential-id', `JTI=${claims.jti}`),
        ...(node && { ...extraOf('node-name', node.name), ...extraOf('node-uid', node.uid) }),
        ...(pod && { ...extraOf('pod-name', pod.name), ...extraOf('pod-uid', pod.uid) }),
      },
    };
  };
}

function extraOf(key: string, value: string): Record<string, string[]> {
  return { [`authentication.kubernetes.io/${key}`]: [value] };
}
