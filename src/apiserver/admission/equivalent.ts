import type { KindDefinition } from '../../api/kind.ts';
import type { KubeObject } from '../../api/object.ts';
import type { Resource } from '../context.ts';
import type { ResourceInfo } from '../request-info.ts';
import type { AdmissionRequest } from './chain.ts';

export type MatchPolicy = 'Exact' | 'Equivalent';
/** Everything that is served, by `group/version/plural`. */
export type ServedResources = () => ReadonlyMap<string, Resource>;

/**
 * The resource as which a write is meant: as the one that it is, or, unless the policy is `Exact`, as another version
 * of it. Undefined where it is not meant at all.
 */
export function meantAs(
  request: AdmissionRequest,
  resources: ServedResources,
  matchPolicy: MatchPolicy | undefined,
  isMeant: (info: ResourceInfo) => boolean,
): Resource | undefined {
  if (isMeant(request.info)) return request.resource;
  if (matchPolicy === 'Exact') return undefined;
  for (const resource of resources().values()) {
    if (isOtherVersion(resource.kind, request.resource.kind) && isMeant(infoAs(request, resource))) {
      return resource;
    }
  }
  return undefined;
}

/** A write as another version of its resource shows it. */
export async function seenAs(request: AdmissionRequest, resource: Resource): Promise<AdmissionRequest> {
  if (resource === request.resource) return request;
  const shown = (object: KubeObject | undefined) => object && inVersionOf(resource, request.resource, object);
  const [object, oldObject] = await Promise.all([shown(request.object), shown(request.oldObject)]);
  const { operation, subresource, name, namespace, user, dryRun, options } = request;
  return {
    operation,
    resource,
    info: infoAs(request, resource),
    name,
    user,
    dryRun,
    options,
    asked: request,
    ...(subresource !== undefined && { subresource }),
    ...(namespace !== undefined && { namespace }),
    ...(object && { object }),
    ...(oldObject && { oldObject }),
    warn: (message) => request.warn(message),
    annotateAudit: (key, value) => request.annotateAudit(key, value),
    afterwards: (done) => request.afterwards(done),
  };
}

/** An object of one version in another; what is no object of the kind, such as a Scale, is the same in all of them. */
export async function inVersionOf(to: Resource, from: Resource, object: KubeObject): Promise<KubeObject> {
  if (to === from || object.kind !== from.kind.kind) return object;
  // Conversion keeps it an object.
  if (to.store) return (await to.store.inThisVersion(object)) as KubeObject;
  const stored = from.kind.storedAs?.toStored(object) ?? object;
  return to.kind.storedAs?.fromStored(stored) ?? stored;
}

function isOtherVersion(one: KindDefinition, other: KindDefinition): boolean {
  if (one === other) return false;
  if (one.custom || other.custom) return one.group === other.group && one.plural === other.plural;
  return (one.storedAs?.kind ?? one) === (other.storedAs?.kind ?? other);
}

function infoAs({ info }: AdmissionRequest, { kind }: Resource): ResourceInfo {
  return { ...info, group: kind.group, version: kind.version, resource: kind.plural };
}
