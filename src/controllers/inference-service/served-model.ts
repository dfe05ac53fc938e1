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

/** Whether the pods of a revision serve its model: those that were given other weights are asked which are live. */
export async function servedModel(
  inference: InferenceService,
  latest: Deployment,
  seen: { model: KnownModel | undefined; pods: readonly Pod[]; questions: PodQuestions },
): Promise<ServedModel> {
  const { model, pods, questions } = seen;
  const before = inference.status?.annotations?.[servedAnnotation];
  const wanted = referenceOf(latest);
  if (!model || wanted !== model.reference) return { reference: undefined, isSwapping: false };
  if (wanted === before) return { reference: before, isSwapping: false };
  const isBegun = isRolledOut(latest) && outdatedPods(latest, pods).length === 0;
  // A pod that began with its model is ready with it.
  const told = pods.filter((pod) => isReadyPod(pod) && pod.metadata?.annotations?.[modelReferenceAnnotation]);
  const live = isBegun && model.weights ? await questions.weights(inference, told) : [];
  const isServed = isBegun && live.every(({ weights }) => weights === model.weights);
  if (isServed) return { reference: wanted, isSwapping: false };
  const refusing = live.find(({ refused }) => refused?.weights === model.weights);
  const failure = refusing && { message: refusing.refused!.message, location: refusing.pod };
  return { reference: before, isSwapping: true, failure };
}
