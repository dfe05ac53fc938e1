import type { HorizontalPodAutoscaler } from '../../api/kinds/horizontalPodAutoscaler.ts';
import {
  type InferenceService,
  inferenceService as inferenceServiceKind,
} from '../../api/kinds/inferenceService.ts';
import { controllerReference } from '../owner.ts';
import { componentName, inferenceServiceLabel, isStopped } from './names.ts';
import { boundsOf } from './scale-settings.ts';

/** KServe's. */
const cpuPercentDefault = 80;

/** Whether a HorizontalPodAutoscaler says how many pods the predictor has. */
export function followsResources({ spec }: InferenceService): boolean {
  const { scaleMetric } = spec!.predictor;
  return scaleMetric === 'cpu' || scaleMetric === 'memory';
}

/** The autoscaler of a predictor that follows what its pods use of the processor or of memory, as KServe's raw mode makes it. */
export function podAutoscalerFor(inference: InferenceService): HorizontalPodAutoscaler | undefined {
  if (!followsResources(inference) || isStopped(inference)) return undefined;
  const { scaleMetric, scaleTarget } = inference.spec!.predictor;
  const { min, max } = boundsOf(inference);
  const name = componentName(inference, 'predictor');
  const averageUtilization = scaleTarget ?? (scaleMetric === 'cpu' ? cpuPercentDefault : undefined);
  return {
    metadata: {
      name,
      namespace: inference.metadata?.namespace ?? '',
      labels: { app: name, [inferenceServiceLabel]: inference.metadata?.name ?? '' },
      ownerReferences: [controllerReference(inferenceServiceKind, inference)],
    },
    spec: {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name },
      // An autoscaler by resources can't bring back what is at zero.
      minReplicas: Math.max(1, min),
      maxReplicas: max,
      ...(averageUtilization !== undefined && {
        metrics: [
          {
            type: 'Resource' as const,
            resource: { name: scaleMetric!, target: { type: 'Utilization' as const, averageUtilization } },
          },
        ],
      }),
    },
  };
}
