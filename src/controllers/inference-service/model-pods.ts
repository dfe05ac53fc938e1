import type { Deployment } from '../../api/kinds/deployment.ts';
import { type Pod, pod as podKind } from '../../api/kinds/pod.ts';
import { modelReferenceAnnotation, modelVolumeAnnotation } from '../../api/model-annotations.ts';
import { isStatus } from '../../base/errors.ts';
import type { Client } from '../../client/client.ts';

/** Tells the Deployment's pods which model it serves by now; their nodes show it to them without starting them anew. */
export async function tellPods(client: Client, deployment: Deployment, pods: readonly Pod[]): Promise<void> {
  for (const { metadata } of outdatedPods(deployment, pods)) {
    const { namespace, name = '' } = metadata!;
    const reference = referenceOf(deployment)!;
    const body = { metadata: { annotations: { [modelReferenceAnnotation]: reference } } };
    try {
      await client.patch(podKind, { namespace, name }, { type: 'merge', body });
    } catch (error) {
      if (!isStatus(error, 'NotFound')) throw error;
    }
  }
}

export const referenceOf = ({ metadata }: Deployment): string | undefined =>
  metadata?.annotations?.[modelReferenceAnnotation];

/** Pods of the Deployment's present template with another model. Those of an earlier template go, with what they have. */
export function outdatedPods(deployment: Deployment, pods: readonly Pod[]): Pod[] {
  const wanted = referenceOf(deployment);
  const template = deployment.spec?.template;
  const begun = imageOf(template);
  if (wanted === undefined || begun === undefined) return [];
  return pods.filter((pod) => {
    const told = pod.metadata?.annotations?.[modelReferenceAnnotation] ?? begun;
    return imageOf(pod) === begun && told !== wanted && !pod.metadata?.deletionTimestamp;
  });
}

/** The model that a pod or template names, before anybody was told of another one. */
function imageOf(of: Pick<Pod, 'metadata' | 'spec'> | undefined): string | undefined {
  const volume = of?.metadata?.annotations?.[modelVolumeAnnotation];
  return of?.spec?.volumes?.find(({ name }) => name === volume)?.image?.reference;
}
