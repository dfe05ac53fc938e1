import { isContained } from '../../api/equal.ts';
import type { Deployment } from '../../api/kinds/deployment.ts';
import type { HorizontalPodAutoscaler } from '../../api/kinds/horizontalPodAutoscaler.ts';
import type { Service } from '../../api/kinds/service.ts';
import { holdAnnotation, pathsAnnotation, splitAnnotation } from '../../mesh/compile.ts';

/** What an InferenceService has made for it. */
export type Made = Deployment | Service | HorizontalPodAutoscaler;

/** Annotations of a Service that are the controller's: without one in the plan, there is none. */
const ownAnnotations = [splitAnnotation, holdAnnotation, pathsAnnotation];

/**
 * `present` as `wanted` has it, or undefined where it is that already. What `wanted` leaves open stays: defaults, a Service's
 * type and addresses, labels and annotations of others.
 */
export function changed<T extends Made>(present: T, wanted: T): T | undefined {
  const annotations = { ...present.metadata?.annotations };
  for (const name of ownAnnotations) delete annotations[name];
  const metadata = {
    ...present.metadata,
    labels: { ...present.metadata?.labels, ...wanted.metadata?.labels },
    annotations: { ...annotations, ...wanted.metadata?.annotations },
  };
  const isTold = ownAnnotations.every(
    (name) => present.metadata?.annotations?.[name] === metadata.annotations[name],
  );
  if (isTold && isContained(wanted, present)) return undefined;
  const isService = wanted.kind === 'Service' || 'clusterIP' in (present.spec ?? {});
  return { ...present, metadata, spec: isService ? { ...present.spec, ...wanted.spec } : wanted.spec };
}
