import type { Pod } from '../../api/kinds/pod.ts';
import type { Clock } from '../../base/clock.ts';
import type { NodeLoads, PodLoad } from './node-loads.ts';
import { isReadyPod } from './pod-questions.ts';
import {
  addSample,
  type LoadSample,
  newHistory,
  podsNeeded,
  type ScaleHistory,
  type ScaleSettings,
} from './scale.ts';

/** How often a predictor that has pods is looked at (Knative's `tick-interval`). */
export const tickMs = 2_000;
/** Looks that come sooner after one see no more than it. */
const sampleMsMin = 1_000;

interface Watched {
  history: ScaleHistory;
  sampledAtMs: number;
  /** What each pod had counted at the last look, by UID. */
  counted: Map<string, PodLoad>;
}

/** How many pods predictors have, by what their pods had to do. After a restart of ours it begins with what there is. */
export class Autoscaler {
  readonly #clock: Clock;
  readonly #loads: NodeLoads;
  readonly #watched = new Map<string, Watched>();

  constructor(options: { clock: Clock; loads: NodeLoads }) {
    this.#clock = options.clock;
    this.#loads = options.loads;
  }

  /** Requests wait for the predictor. */
  wake(key: string): void {
    const nowMs = this.#clock.nowMs();
    const watched = this.#watched.get(key) ?? this.#begin(key, nowMs);
    watched.history.activeAtMs = nowMs;
  }

  forget(key: string): void {
    this.#watched.delete(key);
  }

  /** `current` is how many are wanted now; undefined before there was a Deployment. */
  async podsFor(
    key: string,
    settings: ScaleSettings,
    { current, pods }: { current: number | undefined; pods: readonly Pod[] },
  ): Promise<number> {
    const nowMs = this.#clock.nowMs();
    // Of what is at zero when we begin, nobody has asked anything.
    const known = this.#watched.get(key) ?? this.#begin(key, current === 0 ? -Infinity : nowMs);
    const { history } = known;
    if (current === undefined) return Math.max(1, settings.min);
    if (current === 0) history.samples = [];
    else if (nowMs - known.sampledAtMs >= sampleMsMin) await this.#look(known, settings, pods, nowMs);
    return podsNeeded(settings, history, { ready: pods.filter(isReadyPod).length, current, nowMs });
  }

  #begin(key: string, activeAtMs: number): Watched {
    const begun = { history: newHistory(activeAtMs), sampledAtMs: -Infinity, counted: new Map() };
    this.#watched.set(key, begun);
    return begun;
  }

  async #look(watched: Watched, settings: ScaleSettings, pods: readonly Pod[], nowMs: number): Promise<void> {
    const alive = pods.filter(({ spec, metadata }) => spec?.nodeName && !metadata?.deletionTimestamp);
    const nodes = [...new Set(alive.map(({ spec }) => spec!.nodeName!))];
    const answers = new Map(
      await Promise.all(nodes.map(async (name) => [name, await this.#loads.of(name)] as const)),
    );
    // What a node that doesn't answer may be asked, nobody knows: so nothing is taken away.
    if ([...answers.values()].includes(undefined)) {
      watched.history.activeAtMs = nowMs;
      return;
    }
    const elapsedMs = nowMs - watched.sampledAtMs;
    const sample: LoadSample = { atMs: nowMs, concurrency: 0, rps: 0, isActive: false };
    const counted = new Map<string, PodLoad>();
    for (const { metadata, spec } of alive) {
      const uid = metadata?.uid ?? '';
      const load = answers.get(spec!.nodeName!)!.get(uid) ?? { requests: 0, busyMs: 0, active: 0 };
      addPod(sample, load, watched.counted.get(uid), elapsedMs);
      counted.set(uid, load);
    }
    watched.counted = counted;
    watched.sampledAtMs = nowMs;
    if (Number.isFinite(elapsedMs)) addSample(watched.history, sample, settings);
  }
}

/** A pod that was not seen before had its time for what it counted; how long that was is not known. */
function addPod(sample: LoadSample, load: PodLoad, before: PodLoad | undefined, elapsedMs: number): void {
  // A container that was started anew counts from zero.
  const since = before && before.requests <= load.requests ? before : { requests: 0, busyMs: 0 };
  const requests = load.requests - since.requests;
  sample.isActive ||= requests > 0 || load.active > 0;
  if (!before) {
    sample.concurrency += load.active;
    return;
  }
  sample.concurrency += Math.max(0, load.busyMs - since.busyMs) / elapsedMs;
  sample.rps += requests / (elapsedMs / 1000);
}
