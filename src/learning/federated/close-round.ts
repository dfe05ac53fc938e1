import {
  type Figures,
  freshOf,
  type Received,
  type RoundSummary,
  type RoundsState,
  type ServingFigures,
} from './rounds.ts';
import { type FederatedSettings, isPrivate } from './settings.ts';

/** Without a clipNorm, an update this many times as large as the round's median is left out. */
const outlierFactor = 10;
/** Fewer updates have no median to speak of. */
const outlierCountMin = 3;
/** No client counts for more than this many median clients: the number of examples is its own word. */
const samplesFactorMax = 10;

/** The end of a round: which updates make the next weights, and the state after it. */
export interface ClosedRound {
  used: Received[];
  summary: RoundSummary;
  next: RoundsState;
}

/** Ends the round at hand with what came. */
export function closeRound(state: RoundsState, settings: FederatedSettings): ClosedRound {
  const fresh = freshOf(state);
  const sound = withoutOutliers(onePerClient(state), settings);
  const median = medianOf(sound.map(({ samples }) => samples));
  const used = sound.map((update) => {
    return { ...update, samples: Math.min(update.samples, samplesFactorMax * median) };
  });
  const arrived = new Set(fresh.map(({ client }) => client));
  const missing = state.cohort.filter((client) => !arrived.has(client));
  const participants = used.filter(({ round }) => round === state.round).length;
  const summary = {
    round: state.round,
    participants,
    dropped: missing.length,
    late: used.length - participants,
    metrics: meanFigures(fresh.flatMap(({ figures }) => figures ?? [])).metrics,
  };
  const next: RoundsState = {
    ...state,
    phase: 'gathering',
    round: state.round + 1,
    attempt: 0,
    cohort: [],
    deadlineMs: 0,
    awaited: [...state.awaited, { round: state.round, clients: missing }].filter(
      ({ round }) => state.round + 1 - round <= settings.staleness && !isPrivate(settings),
    ),
    received: [],
    refused: state.refused + onePerClient(state).length - sound.length,
    privateRounds: state.privateRounds + Number(isPrivate(settings)),
    last: summary,
  };
  return { used, summary, next };
}

/** Ends the last evaluation. */
export function closeEvaluation(state: RoundsState): RoundsState {
  const figures = state.evaluations.map(({ figures }) => figures);
  const serving = servingFigures(state.evaluations);
  return { ...state, phase: 'done', final: { ...meanFigures(figures), ...(serving && { serving }) } };
}

/** Of the model in service, over the same examples as the joined model's figures: one client that could not measure it
 * leaves nothing to compare. */
function servingFigures(evaluations: RoundsState['evaluations']): ServingFigures | undefined {
  if (!evaluations.some(({ figures }) => figures.serving)) return undefined;
  const failed = evaluations.find(({ figures }) => !figures.serving?.metrics);
  if (failed) {
    const why = failed.figures.serving?.problem ?? 'it was not asked to';
    return { problem: `"${failed.client}" has not measured it: ${why}` };
  }
  // None is missing, as was just seen.
  const measured = evaluations.map(({ figures: { examples, serving } }) => ({
    examples,
    metrics: serving!.metrics!,
  }));
  return { metrics: meanFigures(measured).metrics };
}

/** The newest update of each client, so that nobody counts twice; by name, so that sums round alike in any order. */
function onePerClient({ received }: RoundsState): Received[] {
  const newest = new Map<string, Received>();
  for (const update of received.toSorted((a, b) => a.round - b.round)) newest.set(update.client, update);
  return [...newest.values()].sort((a, b) => (a.client < b.client ? -1 : 1));
}

function withoutOutliers(updates: Received[], { clipNorm }: FederatedSettings): Received[] {
  if (clipNorm !== undefined || updates.length < outlierCountMin) return updates;
  const most = outlierFactor * medianOf(updates.map(({ norm }) => norm));
  return updates.filter(({ norm }) => norm <= most);
}

/** The mean of each figure, by examples. */
export function meanFigures(all: readonly Figures[]): Figures {
  const examples = all.reduce((sum, figures) => sum + figures.examples, 0);
  const names = [...new Set(all.flatMap(({ metrics }) => Object.keys(metrics)))];
  const metrics = names.map((name) => {
    const told = all.filter((figures) => figures.metrics[name] !== undefined);
    const count = told.reduce((sum, figures) => sum + figures.examples, 0);
    const total = told.reduce((sum, figures) => sum + figures.examples * figures.metrics[name]!, 0);
    return [name, total / count] as const;
  });
  return { examples, metrics: Object.fromEntries(metrics) };
}

/** The lower one of two in the middle. */
function medianOf(values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) / 2)] ?? 0;
}
