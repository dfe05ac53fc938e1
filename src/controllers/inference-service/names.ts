import { modelServerImage } from '../../api/kinds/clusterServingRuntime.ts';
import type { InferenceService, ModelSpec } from '../../api/kinds/inferenceService.ts';

export type ComponentName = 'predictor' | 'transformer' | 'explainer';

export const inferenceServiceLabel = 'serving.kserve.io/inferenceservice';
export const stopAnnotation = 'serving.kserve.io/stop';
/** On an InferenceService, `"true"`: every change is a rollout of pods, also one of the weights alone. */
export const rolloutAnnotation = 'selvage.dev/force-rollout';
/** How long a model without requests keeps a pod; Knative's name for it. */
export const idleAnnotation = 'autoscaling.knative.dev/scale-to-zero-pod-retention-period';

/** On a Deployment: the revision that it runs, and what that was made from. */
export const revisionAnnotation = 'selvage.dev/revision';
export const templateAnnotation = 'selvage.dev/revision-template';
export const graphAnnotation = 'selvage.dev/revision-graph';
/** On a Deployment whose pods were given other weights: `revision=model` of those before, which no ReplicaSet keeps. */
export const beforeAnnotation = 'selvage.dev/revision-before';

/** On an InferenceService's status: the model that all pods of its latest revision serve, with its digest. */
export const servedAnnotation = 'selvage.dev/model-reference';

export function componentsOf({ spec }: InferenceService): ComponentName[] {
  return (['predictor', 'transformer', 'explainer'] as const).filter((name) => spec?.[name]);
}

export function isStopped({ metadata }: InferenceService): boolean {
  return metadata?.annotations?.[stopAnnotation] === 'true';
}

export function componentName({ metadata }: InferenceService, component: ComponentName): string {
  return `${metadata?.name}-${component}`;
}

export function canaryName(inference: InferenceService): string {
  return `${componentName(inference, 'predictor')}-canary`;
}

export function urlOf(inference: InferenceService, service: string): string {
  return `http://${service}.${inference.metadata?.namespace}.svc.cluster.local`;
}

/** Whether the built-in server serves it, which follows the model's files and speaks all protocols. */
export function isBuiltIn({ image }: Pick<ModelSpec, 'image'>): boolean {
  return !image || image === modelServerImage;
}
