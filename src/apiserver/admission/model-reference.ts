import { type Deployment, deployment } from '../../api/kinds/deployment.ts';
import type { Pod } from '../../api/kinds/pod.ts';
import { modelOfAnnotation, modelReferenceAnnotation } from '../../api/model-annotations.ts';
import type { Store } from '../../store/store.ts';
import { keyOf } from '../stored.ts';
import type { AdmissionPlugin } from './chain.ts';
import { only } from './handles.ts';

/**
 * Gives a new pod of a model's Deployment the model that the Deployment serves by now, which may be another one than its
 * template names: so no new pod begins with old weights. KServe tells its pods of their model by a webhook in the same place.
 */
export function modelReferencePlugin(store: Store): AdmissionPlugin {
  return {
    name: 'ModelReference',
    handles: only('pods', 'CREATE'),
    mutate(request) {
      // What is asked about is a pod.
      const { metadata } = request.object as Pod;
      const name = metadata?.annotations?.[modelOfAnnotation];
      if (!name || metadata.annotations![modelReferenceAnnotation]) return;
      const found = store.get(keyOf(deployment, request.namespace, name))?.value as Deployment | undefined;
      const reference = found?.metadata?.annotations?.[modelReferenceAnnotation];
      if (reference) metadata.annotations![modelReferenceAnnotation] = reference;
    },
  };
}
