import type { Pod } from '../../api/kinds/pod.ts';
import { claimsOfPod } from '../../api/pod-claims.ts';

export interface PodReferences {
  secrets: Set<string>;
  configMaps: Set<string>;
  serviceAccounts: Set<string>;
  claims: Set<string>;
}

/** The objects of its own namespace that a pod names and its node must therefore be able to read. */
export function referencesOf(pod: Pod): PodReferences {
  const references: PodReferences = {
    secrets: new Set(),
    configMaps: new Set(),
    serviceAccounts: new Set(),
    claims: new Set(claimsOfPod(pod)),
  };
  const { spec } = pod;
  if (!spec) return references;
  const { secrets, configMaps } = references;
  references.serviceAccounts.add(spec.serviceAccountName || 'default');
  add(secrets, spec.imagePullSecrets, ({ name }) => name);
  for (const container of [...(spec.initContainers ?? []), ...(spec.containers ?? [])]) {
    add(secrets, container.env, ({ valueFrom }) => valueFrom?.secretKeyRef?.name);
    add(configMaps, container.env, ({ valueFrom }) => valueFrom?.configMapKeyRef?.name);
    add(secrets, container.envFrom, ({ secretRef }) => secretRef?.name);
    add(configMaps, container.envFrom, ({ configMapRef }) => configMapRef?.name);
  }
  for (const volume of spec.volumes ?? []) {
    const sources = [volume, ...(volume.projected?.sources ?? [])];
    add(secrets, [volume], ({ secret }) => secret?.secretName);
    add(secrets, volume.projected?.sources, ({ secret }) => secret?.name);
    add(configMaps, sources, ({ configMap }) => configMap?.name);
  }
  return references;
}

function add<T>(
  names: Set<string>,
  items: readonly T[] | undefined,
  nameOf: (item: T) => string | undefined,
): void {
  for (const item of items ?? []) {
    const name = nameOf(item);
    if (name) names.add(name);
  }
}
