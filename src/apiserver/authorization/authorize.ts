import { StatusError } from '../../base/errors.ts';
import type { ResourceInfo } from '../request-info.ts';
import { authenticatedGroup, type User } from '../user.ts';

/** A resource and what is to be done with it: any word may be asked about, not only the verbs of requests. */
export interface AskedResource extends Omit<ResourceInfo, 'verb'> {
  verb: string;
}

/** What is asked for: a resource, or a path that belongs to none, such as `/metrics`. */
export type Attributes = { user: User; fieldSelector: string; body?: unknown } & (
  | { resource: AskedResource; path?: undefined }
  | { resource?: undefined; path: string; verb: string }
);

export type Decision = { allowed: boolean; reason?: string | undefined };

/** Answers undefined where it has no opinion, so that the next one is asked; all silent means no. */
export type Authorizer = (attributes: Attributes) => Decision | undefined;

const yes: Decision = { allowed: true };

export const masters: Authorizer = ({ user }) => (user.groups.includes('system:masters') ? yes : undefined);

/** Whether the server lives, and what it is: for anybody. Single checks say more, and take a role. */
const openPaths = ['/livez', '/readyz', '/healthz', '/version', '/version/'];
const discoveryPaths = ['/api', '/apis', '/openapi'];

/** Everybody whose name is known may learn what the server offers and who they are. */
export const discovery: Authorizer = ({ user, resource, path }) => {
  const isBelow = (open: string) => path === open || path?.startsWith(`${open}/`);
  if (path !== undefined && openPaths.includes(path)) return yes;
  if (!user.groups.includes(authenticatedGroup)) return undefined;
  if (!resource) return discoveryPaths.some(isBelow) ? yes : undefined;
  const isSelfReview =
    resource.verb === 'create' &&
    ['selfsubjectreviews', 'selfsubjectaccessreviews', 'selfsubjectrulesreviews'].includes(resource.resource);
  return isSelfReview ? yes : undefined;
};

/** Machines that join ask for their first certificate, and see whether it has come. */
export const bootstrappers: Authorizer = ({ user, resource }) => {
  if (!user.groups.includes('system:bootstrappers') || !resource) return undefined;
  const isRequest =
    resource.group === 'certificates.k8s.io' &&
    resource.resource === 'certificatesigningrequests' &&
    resource.subresource === undefined;
  return isRequest && ['create', 'get', 'list', 'watch'].includes(resource.verb) ? yes : undefined;
};

/** Asks each in turn. */
export function anyOf(...authorizers: Authorizer[]): (attributes: Attributes) => Decision {
  return (attributes) => {
    for (const authorizer of authorizers) {
      const decision = authorizer(attributes);
      if (decision) return decision;
    }
    return { allowed: false };
  };
}

/** Kubernetes' refusal: `pods is forbidden: User "x" cannot list resource "pods" in API group "" in the namespace "default"`. */
export function refusal(attributes: Attributes, reason: string | undefined): StatusError {
  const { user, resource } = attributes;
  const because = reason ? `: ${reason}` : '';
  if (!resource) {
    const text = `forbidden: User ${JSON.stringify(user.name)} cannot ${attributes.verb} path ${JSON.stringify(attributes.path)}`;
    return new StatusError('Forbidden', text + because, { details: {} });
  }
  const { verb, group, namespace, name } = resource;
  const named = group === '' ? resource.resource : `${resource.resource}.${group}`;
  const asked = resource.subresource ? `${resource.resource}/${resource.subresource}` : resource.resource;
  const where = namespace ? `in the namespace ${JSON.stringify(namespace)}` : 'at the cluster scope';
  const subject = name ? `${named} ${JSON.stringify(name)}` : named;
  const text =
    `${subject} is forbidden: User ${JSON.stringify(user.name)} cannot ${verb} resource ${JSON.stringify(asked)} ` +
    `in API group ${JSON.stringify(group)} ${where}`;
  return new StatusError('Forbidden', text + because, {
    details: { ...(name && { name }), ...(group && { group }), kind: resource.resource },
  });
}
