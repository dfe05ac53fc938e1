import type { KindDefinition } from '../../../api/kind.ts';
import type { ValidatingAdmissionPolicy } from '../../../api/kinds/validatingAdmissionPolicy.ts';
import { labelSelector } from '../../../api/label-selector.ts';
import type { KubeObject } from '../../../api/object.ts';
import type { ParamRef } from '../../../api/parts/admissionPolicy.ts';
import type { Store } from '../../../store/store.ts';
import type { Resource } from '../../context.ts';
import { keyOf, objectOf, prefixOf } from '../../stored.ts';

export interface ParamSource {
  store: Store;
  /** Everything that is served, by `group/version/plural`. */
  resources(): ReadonlyMap<string, Resource>;
}

/**
 * The parameters that a binding names; one undefined where the policy has none. Throws where there should be some.
 */
export async function paramsOf(
  source: ParamSource,
  { spec }: ValidatingAdmissionPolicy,
  ref: ParamRef | undefined,
  namespace: string | undefined,
): Promise<(KubeObject | undefined)[]> {
  const paramKind = spec?.paramKind;
  if (!paramKind || !ref) return [undefined];
  const resource = [...source.resources().values()].find(
    ({ kind }) => kind.kind === paramKind.kind && apiVersionOf(kind) === paramKind.apiVersion,
  );
  if (!resource) {
    throw new Error(`paramKind kind \`${paramKind.apiVersion}, Kind=${paramKind.kind}\` not known`);
  }
  const { kind } = resource;
  if (!kind.namespaced && ref.namespace !== undefined) {
    throw new Error('paramRef.namespace must not be provided for a cluster-scoped `paramKind`');
  }
  const within = kind.namespaced ? (ref.namespace ?? namespace) : undefined;
  if (kind.namespaced && within === undefined) {
    throw new Error("can't use namespaced paramRef to match cluster-scoped resources");
  }
  // Custom resources appear in the version that the policy names.
  const store = (await resource.store?.forRequest(prefixOf(kind, within))) ?? source.store;
  const found = find(store, kind, ref, within);
  if (found.length > 0)
    return found.map((object) => ({ apiVersion: paramKind.apiVersion, kind: kind.kind, ...object }));
  if (ref.parameterNotFoundAction === 'Allow') return [];
  throw new Error('no params found for policy binding with `Deny` parameterNotFoundAction');
}

const apiVersionOf = ({ group, version }: KindDefinition) => (group === '' ? version : `${group}/${version}`);

function find(
  store: Store,
  kind: KindDefinition,
  ref: ParamRef,
  namespace: string | undefined,
): KubeObject[] {
  if (ref.name !== undefined) {
    const stored = store.get(keyOf(kind, namespace, ref.name));
    return stored ? [objectOf(stored)] : [];
  }
  const isChosen = labelSelector(ref.selector);
  return store
    .list(prefixOf(kind, namespace))
    .items.map((stored) => objectOf(stored))
    .filter(isChosen);
}
