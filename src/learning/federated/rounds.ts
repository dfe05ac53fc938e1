import { chooseCohort, samplePoisson } from './cohort.ts';
import { type FederatedSettings, isPrivate, samplingRateOf } from './settings.ts';

/** What a client measured of weights that it was handed, on examples that it does not train on. */
export interface Figures {
  examples: number;
  metrics: Record<string, number>;
  /** The same of the model in service, where the job is to be promoted: on the same examples. */
  serving?: ServingFigures | undefined;
}

export interface ServingFigures {
  metrics?: Record<string, number> | undefined;
  problem?: string | undefined;
}

/** An update that was taken in, without its numbers. */
export interface Received {
  client: string;
  /** The round whose weights it began with. */
  round: number;
  samples: number;
  /** L2 */
  norm: number;
  figures?: Figures | undefined;
}

/** What a round came to. */
export interface RoundSummary {
  round: number;
  /** Updates of its own that it took in. */
  participants: number;
  /** Clients that were asked and sent none in time. */
  dropped: number;
  /** Updates of earlier rounds that it took in. */
  late: number;
  /** Of the weights that it began with, over the participants' test sets. */
  metrics: Record<string, number>;
}

/** How far a federated training is; all that must survive a restart besides the weights. */
export interface RoundsState {
  /** `gathering` waits for clients, `evaluating` lets them measure the final weights. */
  phase: 'gathering' | 'training' | 'evaluating' | 'done';
  /** The round at hand, from 1; one above the last in the end. */
  round: number;
  /** How often this round's cohort has been chosen. */
  attempt: number;
  cohort: readonly string[];
  /** Milliseconds since 1970. */
  deadlineMs: number;
  /** Of earlier rounds, those that may still send their update. */
  awaited: readonly { round: number; clients: readonly string[] }[];
  /** Of this round, and late ones. */
  received: readonly Received[];
  evaluations: readonly { client: string; figures: Figures }[];
  refused: number;
  /** Rounds whose noise was added: what privacy has cost so far. */
  privateRounds: number;
  last?: RoundSummary | undefined;
  /** Of the final weights, over all clients' test sets. */
  final?: Figures | undefined;
}

export const firstRound: RoundsState = {
  phase: 'gathering',
  round: 1,
  attempt: 0,
  cohort: [],
  deadlineMs: 0,
  awaited: [],
  received: [],
  evaluations: [],
  refused: 0,
  privateRounds: 0,
};

export interface RoundContext {
  settings: FederatedSettings;
  /** Clients that are there. */
  present: readonly string[];
  nowMs: number;
  /** For private rounds. */
  random: () => number;
}

/** Asks a cohort for the round at hand, or all clients for the last evaluation. Where a round is tried again, the
 * updates that came count, and others are asked in place of those that did not. */
export function openRound(
  state: RoundsState,
  { settings, present, nowMs, random }: RoundContext,
): RoundsState {
  const { round } = state;
  const attempt = state.attempt + 1;
  const opened = { ...state, attempt, deadlineMs: nowMs + settings.deadlineMs };
  if (round > settings.rounds) return { ...opened, phase: 'evaluating', cohort: present.toSorted() };
  if (isPrivate(settings)) {
    return { ...opened, phase: 'training', cohort: samplePoisson(present, samplingRateOf(settings), random) };
  }
  const arrived = freshOf(state).map(({ client }) => client);
  const size = settings.clientsPerRound && Math.max(0, settings.clientsPerRound - arrived.length);
  const others = present.filter((client) => !arrived.includes(client));
  const asked = chooseCohort({ present: others, size, seed: settings.seed, round, attempt });
  return { ...opened, phase: 'training', cohort: [...arrived, ...asked].toSorted() };
}

/** Whether the round at hand goes on, ends, or is tried again with clients that are there. */
export function standing(
  state: RoundsState,
  { settings, nowMs }: Pick<RoundContext, 'settings' | 'nowMs'>,
): 'goes on' | 'ends' | 'is short' {
  const isLate = nowMs >= state.deadlineMs;
  if (state.phase === 'evaluating') {
    if (state.evaluations.length >= state.cohort.length) return 'ends';
    if (!isLate) return 'goes on';
    return state.evaluations.length > 0 ? 'ends' : 'is short';
  }
  const arrived = freshOf(state).length;
  if (arrived >= state.cohort.length) return 'ends';
  if (!isLate) return 'goes on';
  // A private round must end as it was drawn: to draw again by who came would tell of them.
  if (isPrivate(settings)) return 'ends';
  return arrived >= (settings.quorum ?? state.cohort.length) ? 'ends' : 'is short';
}

/** The updates that began with the weights of the round at hand. */
export const freshOf = ({ received, round }: RoundsState): Received[] =>
  received.filter((update) => update.round === round);
