import type { Clock } from '../../base/clock.ts';
import { StatusError } from '../../base/errors.ts';
import { FederatedAverage } from './average.ts';
import { closeEvaluation, closeRound } from './close-round.ts';
import { secretNormal } from './noise.ts';
import { PrivateAverage } from './private-average.ts';
import type { RoundFolder } from './round-folder.ts';
import { type Figures, firstRound, openRound, type RoundsState, standing } from './rounds.ts';
import { type FederatedSettings, isPrivate, samplingRateOf } from './settings.ts';
import { hasSent, takeUpdate, withRefused } from './take-update.ts';
import { decodeUpdate, encodeUpdate, type Parameter } from './update-file.ts';
import { l2Norm } from './vector.ts';

/** A client that has not been heard of for this long is not asked. */
export const presenceMs = 30_000;
/** How long the first round waits for the clients that are missing. */
export const gatherMs = 60_000;
/** Names that are remembered at most. */
const clientsMax = 10_000;

/** What a client is to do next. */
export type Task =
  | { kind: 'wait'; round: number }
  | { kind: 'train'; round: number }
  | { kind: 'evaluate'; round: number }
  | { kind: 'done' };

export interface CoordinatorOptions {
  settings: FederatedSettings;
  parameters: readonly Parameter[];
  /** Of the first round, where the folder has no later ones. */
  initialWeights: Float32Array;
  folder: RoundFolder;
  clock: Clock;
  say: (text: string) => void;
  /** Told of every change of the state. */
  onChange: (state: RoundsState) => void;
  /** For private rounds; the system's own if absent. */
  random?: () => number;
  normal?: () => number;
}

/** Leads a federated training: hands out tasks, takes updates in, joins them round by round. */
export class Coordinator {
  readonly #options: CoordinatorOptions;
  readonly #seenMs = new Map<string, number>();
  readonly #startedMs: number;
  readonly #random: () => number;
  readonly #normal: () => number;
  /** What changes the state takes turns. */
  #turn: Promise<unknown> = Promise.resolve();
  #state: RoundsState;
  #weights: Float32Array;
  #weightsFile: Uint8Array;

  private constructor(options: CoordinatorOptions, state: RoundsState, weights: Float32Array) {
    this.#options = options;
    this.#state = state;
    this.#weights = weights;
    this.#weightsFile = encodeUpdate(weights, options.parameters);
    this.#startedMs = options.clock.nowMs();
    this.#random = options.random ?? secretUniform;
    this.#normal = options.normal ?? secretNormal();
  }

  /** Goes on where the folder says, or begins. A round that was at hand gets its whole time again. */
  static async open(options: CoordinatorOptions): Promise<Coordinator> {
    const { folder, parameters, clock, settings, say } = options;
    const found = await folder.load();
    if (!found) {
      await folder.saveRound(firstRound, encodeUpdate(options.initialWeights, parameters));
      return new Coordinator(options, firstRound, options.initialWeights);
    }
    const { round, received } = found.state;
    say(`going on with round ${round} of ${settings.rounds}, which has ${received.length} updates`);
    const state = { ...found.state, deadlineMs: clock.nowMs() + settings.deadlineMs };
    return new Coordinator(options, state, decodeUpdate(found.weights, parameters));
  }

  get state(): RoundsState {
    return this.#state;
  }

  get weights(): Float32Array {
    return this.#weights;
  }

  /** What this client is to do; asking shows that it is there. */
  taskOf(client: string): Task {
    this.#see(client);
    const { phase, round, cohort, evaluations } = this.#state;
    if (phase === 'done') return { kind: 'done' };
    if (!cohort.includes(client)) return { kind: 'wait', round };
    if (phase === 'training' && !hasSent(this.#state, client)) return { kind: 'train', round };
    const hasMeasured = evaluations.some((evaluation) => evaluation.client === client);
    return phase === 'evaluating' && !hasMeasured ? { kind: 'evaluate', round } : { kind: 'wait', round };
  }

  /** The weights of the round at hand as a safetensors file. @throws StatusError for another round. */
  weightsOf(round: number): Uint8Array {
    if (round === this.#state.round) return this.#weightsFile;
    throw new StatusError('Conflict', `round ${round} is not at hand, round ${this.#state.round} is`);
  }

  /** Takes an update in, which is on the disk when this returns.
   * @throws StatusError Conflict where it is not wanted, Invalid where it is wrong in itself. */
  async receive(
    client: string,
    round: number,
    { bytes, samples, figures }: { bytes: Uint8Array; samples: number; figures?: Figures | undefined },
  ): Promise<void> {
    this.#see(client);
    const { settings, parameters, folder, say } = this.#options;
    await this.#exclusively(async () => {
      const norm = normOf(bytes, parameters);
      const verdict =
        typeof norm === 'number'
          ? takeUpdate(this.#state, { client, round, samples, norm, figures }, settings)
          : { kind: 'refused' as const, ...norm, state: withRefused(this.#state, client) };
      if (verdict.kind === 'known') return;
      if (verdict.kind === 'unwanted') throw new StatusError('Conflict', verdict.reason);
      if (verdict.kind === 'refused') {
        say(`round ${round}: an update of "${client}" is refused: ${verdict.reason}`);
        await this.#become(verdict.state);
        throw new StatusError('Invalid', verdict.reason);
      }
      await folder.saveUpdate(round, client, bytes);
      await this.#become(verdict.state);
    }).finally(() => this.tick());
  }

  /** Takes in what a client measured of the final weights. */
  async evaluated(client: string, round: number, figures: Figures): Promise<void> {
    this.#see(client);
    await this.#exclusively(async () => {
      const { phase, cohort, evaluations } = this.#state;
      if (phase !== 'evaluating' || round !== this.#state.round || !cohort.includes(client)) {
        throw new StatusError('Conflict', `nobody asked "${client}" to evaluate round ${round}`);
      }
      if (evaluations.some((evaluation) => evaluation.client === client)) return;
      await this.#become({ ...this.#state, evaluations: [...evaluations, { client, figures }] });
    });
    await this.tick();
  }

  /** Begins, ends or repeats a round if it is time: to be called every second or so. */
  tick(): Promise<void> {
    return this.#exclusively(async () => {
      const { settings, clock, say } = this.#options;
      const state = this.#state;
      const context = { settings, present: this.#present(), nowMs: clock.nowMs(), random: this.#random };
      if (state.phase === 'done') return;
      if (state.phase === 'gathering') {
        if (!this.#isGathered(context.present.length)) return;
        const opened = openRound(state, context);
        await this.#become(opened);
        if (opened.phase === 'training')
          say(`round ${state.round} of ${settings.rounds}: ${opened.cohort.length} clients are asked`);
      } else {
        const how = standing(state, context);
        if (how === 'goes on') return;
        if (how === 'ends') await this.#end();
        else if (this.#isEnough(context.present)) {
          say(`round ${state.round} is short of updates: tried again with those that are there`);
          await this.#become(openRound(state, context));
        }
      }
    });
  }

  async #end(): Promise<void> {
    const { settings, folder, parameters, say } = this.#options;
    if (this.#state.phase === 'evaluating') return this.#become(closeEvaluation(this.#state));
    const { used, summary, next } = closeRound(this.#state, settings);
    const average = this.#average();
    for (const { client, round, samples } of used) {
      const delta = decodeUpdate(await folder.readUpdate(round, client), parameters);
      average.add({ delta, samples, roundsLate: summary.round - round });
    }
    const weights = average.applyTo(this.#weights);
    const file = encodeUpdate(weights, parameters);
    await folder.saveRound(next, file);
    [this.#weights, this.#weightsFile, this.#state] = [weights, file, next];
    const { participants, dropped, late, metrics, round } = summary;
    const measured = Object.entries(metrics).map(([name, value]) => `  ${name} ${value.toFixed(4)}`);
    say(
      `round ${round} of ${settings.rounds}: ${participants} updates, ${dropped} dropped out, ${late} late; it began with${measured.join('') || ' no figures'}`,
    );
    this.#options.onChange(next);
  }

  #average(): FederatedAverage | PrivateAverage {
    const { settings, parameters } = this.#options;
    const count = parameters.reduce((sum, { size }) => sum + size, 0);
    if (!isPrivate(settings)) return new FederatedAverage(count);
    const { clipNorm, noiseMultiplier, clientsExpected } = settings;
    // The specification is refused where noise has no clipNorm.
    const options = { clipNorm: clipNorm!, noiseMultiplier, normal: this.#normal };
    return new PrivateAverage(count, {
      ...options,
      clientsExpected: samplingRateOf(settings) * clientsExpected,
    });
  }

  async #become(state: RoundsState): Promise<void> {
    await this.#options.folder.save(state);
    this.#state = state;
    this.#options.onChange(state);
  }

  #isGathered(present: number): boolean {
    const { clientsExpected, quorum = 1 } = this.#options.settings;
    if (present >= clientsExpected) return true;
    const isPatient = this.#state.round === 1 && this.#options.clock.nowMs() < this.#startedMs + gatherMs;
    return !isPatient && present >= (this.#state.round > this.#options.settings.rounds ? 1 : quorum);
  }

  /** Whether a round that was short could be filled now. */
  #isEnough(present: readonly string[]): boolean {
    if (this.#state.phase === 'evaluating') return present.length > 0;
    const arrived = this.#state.received.filter(({ round }) => round === this.#state.round);
    const all = new Set([...present, ...arrived.map(({ client }) => client)]);
    return all.size >= (this.#options.settings.quorum ?? 1);
  }

  #see(client: string): void {
    this.#seenMs.delete(client);
    if (this.#seenMs.size >= clientsMax) this.#seenMs.delete(this.#seenMs.keys().next().value!);
    this.#seenMs.set(client, this.#options.clock.nowMs());
  }

  #present(): string[] {
    const sinceMs = this.#options.clock.nowMs() - presenceMs;
    return [...this.#seenMs].filter(([, atMs]) => atMs >= sinceMs).map(([client]) => client);
  }

  #exclusively<T>(action: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(action);
    this.#turn = result.catch(() => {});
    return result;
  }
}

/** The update's size, or why it is none of this model. */
function normOf(bytes: Uint8Array, parameters: readonly Parameter[]): number | { reason: string } {
  try {
    return l2Norm(decodeUpdate(bytes, parameters));
  } catch (error) {
    return { reason: (error as Error).message };
  }
}

const secretUniform = (): number => crypto.getRandomValues(new Uint32Array(1))[0]! / 2 ** 32;
