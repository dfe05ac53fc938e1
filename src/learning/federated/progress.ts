import { toTime } from '../../base/clock.ts';
import type { StatusPatch } from '../trainer/status-reporter.ts';
import { epsilonOf } from './privacy.ts';
import type { RoundsState } from './rounds.ts';
import { type FederatedSettings, isPrivate, samplingRateOf } from './settings.ts';

/** How far the rounds are, as the status of a job has it; rounds take the place of epochs. */
export function statusOf(
  state: RoundsState,
  settings: FederatedSettings,
  { nowMs, startedMs, firstRound }: { nowMs: number; startedMs: number; firstRound: number | undefined },
): StatusPatch {
  const { rounds, noiseMultiplier, delta } = settings;
  const { last, final, refused, privateRounds } = state;
  const round = Math.min(state.round, rounds);
  const metrics = final?.metrics ?? last?.metrics ?? {};
  const done = state.round - 1;
  const doneHere = state.round - (firstRound ?? state.round);
  const pace = doneHere > 0 ? (nowMs - startedMs) / doneHere : undefined;
  return {
    progress: {
      epoch: round,
      epochs: rounds,
      step: done,
      steps: rounds,
      ...(metrics.loss !== undefined && { loss: metrics.loss }),
      ...(metrics.accuracy !== undefined && { accuracy: metrics.accuracy }),
      metrics,
      ...(pace !== undefined && { etaSeconds: Math.ceil(((rounds - done) * pace) / 1000) }),
      updateTime: toTime(nowMs),
    },
    federated: {
      round,
      rounds,
      refused,
      ...(last && { participants: last.participants, dropped: last.dropped, late: last.late }),
      ...(metrics.accuracy !== undefined && { accuracy: metrics.accuracy }),
      ...(isPrivate(settings) && {
        epsilon: epsilonOf({
          samplingRate: samplingRateOf(settings),
          noiseMultiplier,
          rounds: privateRounds,
          delta,
        }),
        delta,
      }),
    },
  };
}
