import type { KubeObject } from './object.ts';

/** The class of volumes and claims from before there was a field for it. */
export const classAnnotation = 'volume.beta.kubernetes.io/storage-class';
/** `"true"` on the StorageClass that claims get that name none. */
export const defaultClassAnnotation = 'storageclass.kubernetes.io/is-default-class';
const betaDefaultClassAnnotation = 'storageclass.beta.kubernetes.io/is-default-class';

/** The StorageClass of a volume or a claim: undefined where none is said, `''` where none is wanted. */
export function storageClassOf({
  metadata,
  spec,
}: KubeObject & { spec?: { storageClassName?: string } }): string | undefined {
  return metadata?.annotations?.[classAnnotation] ?? spec?.storageClassName;
}

export function isDefaultClass({ metadata }: KubeObject): boolean {
  const { annotations = {} } = metadata ?? {};
  return annotations[defaultClassAnnotation] === 'true' || annotations[betaDefaultClassAnnotation] === 'true';
}

/** The class that claims without one get: of several defaults the newest, then the first by name. */
export function defaultClassOf<T extends KubeObject>(classes: readonly T[]): T | undefined {
  const time = ({ metadata }: T) => metadata?.creationTimestamp ?? '';
  const name = ({ metadata }: T) => metadata?.name ?? '';
  return classes
    .filter(isDefaultClass)
    .sort((a, b) => time(b).localeCompare(time(a)) || name(a).localeCompare(name(b)))[0];
}
