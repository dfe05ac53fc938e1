/** `metav1.OwnerReference`. */
export interface OwnerReference {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
  blockOwnerDeletion?: boolean;
}

/** `metav1.ObjectMeta`, as far as this project uses it. Times are RFC 3339 in whole seconds. */
export interface ObjectMeta {
  name?: string;
  generateName?: string;
  namespace?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  deletionGracePeriodSeconds?: number;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  ownerReferences?: OwnerReference[];
  finalizers?: string[];
  managedFields?: unknown[];
}

/** Any object of the Kubernetes API. Objects that were read are never changed in place: copy first. */
export interface KubeObject {
  apiVersion?: string;
  kind?: string;
  metadata?: ObjectMeta;
}

export interface KubeList<T extends KubeObject = KubeObject> {
  apiVersion: string;
  kind: string;
  metadata: { resourceVersion?: string; continue?: string; remainingItemCount?: number };
  items: T[];
}

/** What a client needs to know of a kind in order to address it; `api/kinds/*` extend it with the rest. */
export interface KindAddress<T extends KubeObject = KubeObject> {
  /** `''` for the core group. */
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  readonly namespaced: boolean;
  /** Carries the object's type only; never set. */
  readonly objectType?: T;
}

/** `v1` or `apps/v1`. */
export function apiVersionOf(kind: { group: string; version: string }): string {
  return kind.group === '' ? kind.version : `${kind.group}/${kind.version}`;
}

/** The resource's URL path without query, e.g. `/apis/apps/v1/namespaces/default/deployments/web`. */
export function pathOf(
  kind: KindAddress,
  at: { namespace?: string | undefined; name?: string | undefined; subresource?: string | undefined } = {},
): string {
  const parts = [kind.group === '' ? '/api' : `/apis/${kind.group}`, kind.version];
  if (kind.namespaced && at.namespace) parts.push('namespaces', encodeURIComponent(at.namespace));
  parts.push(kind.plural);
  // A colon needs no escape in a path (RFC 3986, 3.3), and names of roles are full of them.
  if (at.name !== undefined) parts.push(encodeURIComponent(at.name).replaceAll('%3A', ':'));
  if (at.subresource) parts.push(at.subresource);
  return parts.join('/');
}
