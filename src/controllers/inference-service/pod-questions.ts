import { conditionOf } from '../../api/conditions.ts';
import type { InferenceService } from '../../api/kinds/inferenceService.ts';
import { type Pod, pod as podKind } from '../../api/kinds/pod.ts';
import type { KindAddress, KubeObject } from '../../api/object.ts';
import type { Client } from '../../client/client.ts';

/** What a pod's server says of weights, by their SHA-256. */
export interface WeightsTold {
  pod: string;
  /** Those that are live; undefined if it doesn't say. */
  weights: string | undefined;
  /** Newer ones that it could not load. */
  refused: { message: string; weights?: string } | undefined;
}

const serverPort = 8080;
/** A pod that takes longer has no answer. */
const answerMs = 5_000;
/** Pods count what they are asked, but for questions such as these. */
const headers = { 'user-agent': 'selvage-controller/1' };

/** Asks model servers how they are, through the API's way to pods: their addresses are known to nodes alone. */
export class PodQuestions {
  readonly #client: Client;

  constructor(client: Client) {
    this.#client = client;
  }

  /** What each of the pods tells of its weights. */
  async weights(inference: InferenceService, pods: readonly Pod[]): Promise<WeightsTold[]> {
    const told = await this.#askAll(pods, modelPath(inference));
    return told.map((each, i) => {
      const pod = pods[i]!.metadata?.name ?? '';
      const { parameters } = (each ?? {}) as { parameters?: Partial<WeightsTold> };
      const { weights, refused } = parameters ?? {};
      return {
        pod,
        weights: typeof weights === 'string' ? weights : undefined,
        refused: typeof refused?.message === 'string' ? refused : undefined,
      };
    });
  }

  /** What each of the pods tells of drift, as it comes. */
  drift(inference: InferenceService, pods: readonly Pod[]): Promise<unknown[]> {
    return this.#askAll(pods, `${modelPath(inference)}/drift`);
  }

  #askAll(pods: readonly Pod[], path: string): Promise<unknown[]> {
    return Promise.all(pods.map((pod) => this.#ask(pod, path)));
  }

  /** Undefined if the pod has no answer: it is just coming or going, or is no model server of ours. */
  async #ask({ metadata }: Pod, path: string): Promise<unknown> {
    const key = { namespace: metadata?.namespace, name: `${metadata?.name}:${serverPort}` };
    const signal = AbortSignal.timeout(answerMs);
    const options = { subresource: `proxy/${path}`, headers, signal };
    // What comes back is no object of the API, and is looked at by who asked.
    return this.#client.get(podKind as KindAddress<KubeObject>, key, options).catch(() => undefined);
  }
}

function modelPath({ metadata, spec }: InferenceService): string {
  return `v2/models/${spec?.predictor.model?.name || metadata?.name}`;
}

export const isReadyPod = (pod: Pod): boolean =>
  conditionOf(pod, 'Ready')?.status === 'True' && !pod.metadata?.deletionTimestamp;
