import type { InferenceService } from '../../api/kinds/inferenceService.ts';
import type { Pod } from '../../api/kinds/pod.ts';
import type { Clock } from '../../base/clock.ts';
import { isReadyPod, type PodQuestions } from './pod-questions.ts';

/** The worst that a model's pods tell of how far requests are from the training set. */
export interface DriftSeen {
  drifted: boolean;
  /** The highest population stability index of all that is watched. */
  score: number;
  threshold: number;
}

/** How often pods are asked. */
export const driftLookMs = 15_000;

/** Asks the model servers of predictors now and then how far what they are asked is from their training sets. */
export class DriftWatch {
  readonly #clock: Clock;
  readonly #questions: PodQuestions;
  readonly #seen = new Map<string, { atMs: number; drift: DriftSeen | undefined }>();

  constructor(options: { clock: Clock; questions: PodQuestions }) {
    this.#clock = options.clock;
    this.#questions = options.questions;
  }

  /** What was told last, at most `driftLookMs` ago; undefined where no pod has enough to say. */
  async of(key: string, inference: InferenceService, pods: readonly Pod[]): Promise<DriftSeen | undefined> {
    const nowMs = this.#clock.nowMs();
    const before = this.#seen.get(key);
    if (before && nowMs - before.atMs < driftLookMs) return before.drift;
    const drift = worstDrift(await this.#questions.drift(inference, pods.filter(isReadyPod)));
    this.#seen.set(key, { atMs: nowMs, drift });
    return drift;
  }

  forget(key: string): void {
    this.#seen.delete(key);
  }
}

/** The pod that drifted most. Answers come from pods: nothing is taken for granted. */
export function worstDrift(reports: readonly unknown[]): DriftSeen | undefined {
  let worst: DriftSeen | undefined;
  for (const report of reports) {
    const { drifted, score, threshold } = (report ?? {}) as Partial<DriftSeen>;
    const isWhole = [score, threshold].every((each) => Number.isFinite(each)) && typeof drifted === 'boolean';
    // Of too few rows a server tells a score of 0.
    if (!isWhole || score === 0) continue;
    if (!worst || score! > worst.score) worst = { drifted: drifted!, score: score!, threshold: threshold! };
  }
  return worst;
}
