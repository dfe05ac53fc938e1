import { isEqualSemantically } from '../../api/equal.ts';
import type { Pod } from '../../api/kinds/pod.ts';
import { type RuntimeClass, runtimeClass } from '../../api/kinds/runtimeClass.ts';
import type { Store } from '../../store/store.ts';
import { keyOf } from '../stored.ts';
import type { AdmissionPlugin, AdmissionRequest } from './chain.ts';
import { only } from './handles.ts';
import { refused } from './refusal.ts';

/** The runtime that every node has; it needs no RuntimeClass. */
const builtIn = 'isolate';

/**
 * Gives a pod what its RuntimeClass takes and where its nodes are.
 * Source: https://kubernetes.io/docs/concepts/containers/runtime-class/
 */
export function runtimeClassPlugin(store: Store): AdmissionPlugin {
  return {
    name: 'RuntimeClass',
    handles: only('pods', 'CREATE'),
    mutate(request) {
      // What is asked about is a pod.
      const spec = (request.object as Pod).spec!;
      const { runtimeClassName: name } = spec;
      const found = name ? store.get(keyOf(runtimeClass, undefined, name))?.value : undefined;
      if (name && name !== builtIn && !found) {
        throw refused(request, `pod rejected: RuntimeClass "${name}" not found`);
      }
      complete(request, spec, (found ?? {}) as RuntimeClass);
    },
  };
}

function complete(
  request: AdmissionRequest,
  spec: NonNullable<Pod['spec']>,
  { overhead, scheduling }: RuntimeClass,
): void {
  const taken = overhead?.podFixed;
  if (Object.keys(spec.overhead ?? {}).length > 0 && !isEqualSemantically(spec.overhead, taken)) {
    const why = taken
      ? "Pod's Overhead doesn't match RuntimeClass's defined Overhead"
      : 'Pod Overhead set without corresponding RuntimeClass defined Overhead';
    throw refused(request, `pod rejected: ${why}`);
  }
  if (taken) spec.overhead = { ...taken };
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
