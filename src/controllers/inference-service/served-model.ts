import type { Deployment } from '../../api/kinds/deployment.ts';
import type { InferenceService } from '../../api/kinds/inferenceService.ts';
import type { Pod } from '../../api/kinds/pod.ts';
import { modelReferenceAnnotation } from '../../api/model-annotations.ts';
import type { KnownModel } from './known-models.ts';
import { outdatedPods, referenceOf } from './model-pods.ts';
import type { Failure } from './model-status.ts';
import { servedAnnotation } from './names.ts';
import { isReadyPod, type PodQuestions } from './pod-questions.ts';
import { isRolledOut } from './revision.ts';

export interface ServedModel {
  /** What all pods answer by. */
  reference: string | undefined;
  isSwapping: boolean;
  /** Why a pod goes on with what it had. */
  failure?: Failure | undefined;
}

interface Seen {
  model: KnownModel | undefined;
  /** Of the Deployment. */
  pods: readonly Pod[];
  questions: PodQuestions;
}

/** Whether the pods of a revision serve its model: those that were given other weights are asked which are live. */
export async function servedModel(
  inference: InferenceService,
  latest: Deployment,
  seen: Seen,
): Promise<ServedModel> {
  const before = inference.status?.annotations?.[servedAnnotation];
  const wanted = referenceOf(latest);
  if (!seen.model || wanted !== seen.model.reference) return { reference: undefined, isSwapping: false };
  if (wanted === before) return { reference: before, isSwapping: false };
  const { isDone, failure } = await swapOf(inference, latest, seen);
  return isDone ? { reference: wanted, isSwapping: false } : { reference: before, isSwapping: true, failure };
}

/** Whether all pods of a Deployment answer by the model, and why one doesn't. */
export async function swapOf(
  inference: InferenceService,
  deployment: Deployment,
  { model, pods, questions }: Seen,
): Promise<{ isDone: boolean; failure?: Failure | undefined }> {
  const isBegun = isRolledOut(deployment) && outdatedPods(deployment, pods).length === 0;
  // A pod that began with its model is ready with it.
  const told = pods.filter((pod) => isReadyPod(pod) && pod.metadata?.annotations?.[modelReferenceAnnotation]);
  const live = isBegun && model?.weights ? await questions.weights(inference, told) : [];
  const isDone = isBegun && live.every(({ weights }) => weights === model?.weights);
  const refusing = isDone ? undefined : live.find(({ refused }) => refused?.weights === model?.weights);
  return { isDone, failure: refusing && { message: refusing.refused!.message, location: refusing.pod } };
}
