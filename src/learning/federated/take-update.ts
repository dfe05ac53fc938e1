import { freshOf, type Received, type RoundsState } from './rounds.ts';
import { type FederatedSettings, isPrivate } from './settings.ts';

/** A client that clips by itself may be above the norm by rounding or 8-bit numbers, not by more. */
const normTolerance = 1.02;
/** More examples than any client has. */
export const samplesMax = 2 ** 31;

export type Verdict =
  | { kind: 'taken'; state: RoundsState }
  /** It was sent before; its sender did not hear of it. */
  | { kind: 'known' }
  /** It comes too late or was not asked for. */
  | { kind: 'unwanted'; reason: string }
  /** It is wrong in itself. */
  | { kind: 'refused'; reason: string; state: RoundsState };

/** Whether an update counts: it must have been asked for, come in time or not too late, and be within its bounds. */
export function takeUpdate(state: RoundsState, update: Received, settings: FederatedSettings): Verdict {
  const { client, round } = update;
  if (state.received.some((other) => other.client === client && other.round === round)) {
    return { kind: 'known' };
  }
  const unwanted = whyUnwanted(state, update, settings);
  if (unwanted !== undefined) return { kind: 'unwanted', reason: unwanted };
  const wrong = whyWrong(update, settings);
  if (wrong !== undefined) {
    return { kind: 'refused', reason: wrong, state: withRefused(state, client) };
  }
  const awaited = state.awaited.map((earlier) =>
    earlier.round === round
      ? { round, clients: earlier.clients.filter((other) => other !== client) }
      : earlier,
  );
  return { kind: 'taken', state: { ...state, awaited, received: [...state.received, update] } };
}

/** Counts a refusal; the round at hand waits no longer for that client. */
export function withRefused(state: RoundsState, client: string): RoundsState {
  const cohort = state.cohort.filter((other) => other !== client || hasSent(state, client));
  return { ...state, cohort, refused: state.refused + 1 };
}

function whyUnwanted(
  state: RoundsState,
  { client, round }: Received,
  settings: FederatedSettings,
): string | undefined {
  if (round === state.round && state.phase === 'training') {
    return state.cohort.includes(client) ? undefined : `round ${round} did not ask "${client}"`;
  }
  if (round >= state.round) return `round ${round} has not begun`;
  if (state.phase === 'evaluating' || state.phase === 'done') return 'the rounds are over';
  if (isPrivate(settings)) return `round ${round} is over, and private rounds take no late updates`;
  const late = state.round - round;
  if (late > settings.staleness) {
    return `round ${round} is over by ${late}, more than the ${settings.staleness} that an update may be late`;
  }
  const isAwaited = state.awaited.some(
    (earlier) => earlier.round === round && earlier.clients.includes(client),
  );
  return isAwaited ? undefined : `round ${round} awaits nothing more of "${client}"`;
}

function whyWrong({ samples, norm }: Received, { clipNorm }: FederatedSettings): string | undefined {
  if (!Number.isInteger(samples) || samples < 1 || samples > samplesMax) {
    return `an update of ${samples} examples; expected a whole number from 1 to ${samplesMax}`;
  }
  if (!Number.isFinite(norm)) return 'an update whose size is not finite';
  if (clipNorm !== undefined && norm > clipNorm * normTolerance) {
    return `an update of size ${norm.toPrecision(4)}, more than the clipNorm of ${clipNorm}`;
  }
  return undefined;
}

/** Whether the client's update of the round at hand is there. */
export const hasSent = (state: RoundsState, client: string): boolean =>
  freshOf(state).some((update) => update.client === client);
