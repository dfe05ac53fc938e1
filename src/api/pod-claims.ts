import type { Pod } from './kinds/pod.ts';
import type { Volume } from './parts/volume.ts';

/** The claim that a volume of a pod is backed by; an ephemeral volume's is named after pod and volume. */
export function claimNameOf(pod: Pod, volume: Volume): string | undefined {
  if (volume.persistentVolumeClaim) return volume.persistentVolumeClaim.claimName;
  return volume.ephemeral && `${pod.metadata?.name}-${volume.name}`;
}

/** The names of the claims that a pod uses. */
export function claimsOfPod(pod: Pod): string[] {
  return (pod.spec?.volumes ?? []).flatMap((volume) => claimNameOf(pod, volume) ?? []);
}
