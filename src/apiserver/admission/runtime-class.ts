import { isEqualSemantically } from '../../api/equal.ts';
import type { Pod } from '../../api/kinds/pod.ts';
import { type RuntimeClass, runtimeClass } from '../../api/kinds/runtimeClass.ts';
import type { Store } from '../../store/store.ts';
import { keyOf } from '../stored.ts';
import type { AdmissionPlugin, AdmissionRequest } from './chain.ts';
import { only } from './handles.ts';
import { refused } from './refusal.ts';

/**
 * Gives a pod what its RuntimeClass takes and where its nodes are. Unlike in Kubernetes a class that is not there is
 * no mistake: agents know their runtimes by name.
 * Source: https://kubernetes.io/docs/concepts/containers/runtime-class/
 */
export function runtimeClassPlugin(store: Store): AdmissionPlugin {
  return {
    name: 'RuntimeClass',
    handles: only('pods', 'CREATE'),
    mutate(request) {
      const { spec } = request.object as Pod;
      if (!spec?.runtimeClassName) return;
      const found = store.get(keyOf(runtimeClass, undefined, spec.runtimeClassName))?.value;
      if (found) complete(request, spec, found as RuntimeClass);
    },
  };
}

function complete(
  request: AdmissionRequest,
  spec: NonNullable<Pod['spec']>,
  { overhead, scheduling }: RuntimeClass,
): void {
  if (spec.overhead && !isEqualSemantically(spec.overhead, overhead?.podFixed ?? {})) {
    throw refused(
      request,
      'pod rejected: Pod overhead set without corresponding RuntimeClass defined overhead',
    );
  }
  if (overhead?.podFixed) spec.overhead = { ...overhead.podFixed };
  const wanted = scheduling?.nodeSelector ?? {};
  const differs = Object.entries(wanted).some(
    ([key, value]) => (spec.nodeSelector?.[key] ?? value) !== value,
  );
  if (differs) {
    throw refused(
      request,
      'pod rejected: conflict: runtimeClass.scheduling.nodeSelector and pod.spec.nodeSelector',
    );
  }
  if (Object.keys(wanted).length > 0) spec.nodeSelector = { ...spec.nodeSelector, ...wanted };
  const borne = (scheduling?.tolerations ?? []).filter(
    (toleration) => !spec.tolerations?.some((each) => isEqualSemantically(each, toleration)),
  );
  if (borne.length > 0) spec.tolerations = [...(spec.tolerations ?? []), ...structuredClone(borne)];
}
