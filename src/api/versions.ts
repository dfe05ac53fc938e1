import type { KindDefinition } from './kind.ts';
import { apiVersionOf, type KubeObject } from './object.ts';

/** Further versions by the kind that is stored; kinds enter themselves when they are declared. */
const furtherVersions = new WeakMap<KindDefinition, KindDefinition[]>();

export function enterVersion(kind: KindDefinition): void {
  const stored = kind.storedAs!.kind;
  furtherVersions.set(stored, [...(furtherVersions.get(stored) ?? []), kind]);
}

/** How objects of `kind` look in another of its versions; undefined where there is none of that name. */
export interface OtherVersion {
  kind: KindDefinition;
  to(object: KubeObject): KubeObject;
  from(object: KubeObject): KubeObject;
}

export function otherVersion(kind: KindDefinition, apiVersion: string): OtherVersion | undefined {
  if (apiVersion === apiVersionOf(kind)) return undefined;
  const stored = kind.storedAs?.kind ?? kind;
  const further = furtherVersions.get(stored);
  const other = further && [stored, ...further].find((one) => apiVersionOf(one) === apiVersion);
  if (!other) return undefined;
  return {
    kind: other,
    to: (object) => convert(object, kind, other),
    from: (object) => convert(object, other, kind),
  };
}

function convert(object: KubeObject, from: KindDefinition, to: KindDefinition): KubeObject {
  const stored = from.storedAs ? from.storedAs.toStored(object) : object;
  return to.storedAs ? to.storedAs.fromStored(stored) : stored;
}
