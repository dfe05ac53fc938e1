import type { IncomingMessage } from 'node:http';
import { type AskedResource, type Attributes, type Decision, refusal } from '../authorization/authorize.ts';
import { badRequest } from '../failures.ts';
import { serviceAccountGroups, serviceAccountUserPrefix } from '../service-account-authenticator.ts';
import { anonymous, authenticatedGroup, type User, unauthenticatedGroup } from '../user.ts';

const extraPrefix = 'impersonate-extra-';
const authentication = 'authentication.k8s.io';

/**
 * The user that a request asks to be made as (`kubectl --as`), or its own user. Throws Forbidden unless its own user
 * may impersonate each part: the user or service account, every group, the uid and every extra.
 * Source: https://kubernetes.io/docs/reference/access-authn-authz/authentication/#user-impersonation
 */
export function impersonate(
  { headersDistinct: headers }: Pick<IncomingMessage, 'headersDistinct'>,
  user: User,
  authorize: (attributes: Attributes) => Decision,
): User {
  const name = headers['impersonate-user']?.[0] ?? '';
  const groups = (headers['impersonate-group'] ?? []).filter((group) => group !== '');
  const uid = headers['impersonate-uid']?.[0] ?? '';
  const extra = readExtra(headers);
  const isAsked = groups.length > 0 || uid !== '' || Object.keys(extra).length > 0;
  if (name === '') {
    if (!isAsked) return user;
    throw badRequest('a request that impersonates a group, uid or extra must impersonate a user too');
  }
  const demand = (asked: Partial<AskedResource> & { resource: string; name: string }) => {
    const resource = { ...nothing, verb: 'impersonate', ...asked };
    const attributes = { user, fieldSelector: '', resource };
    const decision = authorize(attributes);
    if (!decision.allowed) throw refusal(attributes, decision.reason);
  };
  const account = accountOf(name);
  if (account) demand({ resource: 'serviceaccounts', ...account });
  else demand({ resource: 'users', name });
  for (const group of groups) demand({ resource: 'groups', name: group });
  if (uid !== '') demand({ group: authentication, resource: 'uids', name: uid });
  for (const [key, values] of Object.entries(extra)) {
    const at = { group: authentication, resource: 'userextras', subresource: key };
    for (const value of values) demand({ ...at, name: value });
  }
  const impersonated: User = {
    name,
    groups: completeGroups(
      name,
      groups.length === 0 && account ? serviceAccountGroups(account.namespace) : groups,
    ),
    ...(uid !== '' && { uid }),
    ...(Object.keys(extra).length > 0 && { extra }),
  };
  senders.set(impersonated, user);
  return impersonated;
}

const senders = new WeakMap<User, User>();

/** Who really sent a request that is made as `user`; undefined where that is `user`. */
export function senderOf(user: User): User | undefined {
  return senders.get(user);
}

const nothing = { group: '', version: 'v1', namespace: undefined, subresource: undefined };

/** Every user but the anonymous one is authenticated. */
function completeGroups(name: string, groups: string[]): string[] {
  if (groups.includes(authenticatedGroup) || groups.includes(unauthenticatedGroup)) return groups;
  return [...groups, name === anonymous.name ? unauthenticatedGroup : authenticatedGroup];
}

function accountOf(user: string): { namespace: string; name: string } | undefined {
  const parts = user.startsWith(serviceAccountUserPrefix) ? user.split(':').slice(2) : [];
  return parts.length === 2 && parts[0] && parts[1] ? { namespace: parts[0], name: parts[1] } : undefined;
}

function readExtra(headers: IncomingMessage['headersDistinct']): Record<string, string[]> {
  const extra: Record<string, string[]> = {};
  for (const [header, values] of Object.entries(headers)) {
    if (!header.startsWith(extraPrefix)) continue;
    const key = header.slice(extraPrefix.length);
    try {
      extra[decodeURIComponent(key).toLowerCase()] = values ?? [];
    } catch {
      extra[key] = values ?? [];
    }
  }
  return extra;
}
