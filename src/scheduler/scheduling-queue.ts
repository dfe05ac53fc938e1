import type { Pod } from '../api/kinds/pod.ts';
import type { CancelTimer, Clock } from '../base/clock.ts';
import { keyOf } from '../client/cache.ts';
import type { Plugin } from './filter.ts';
import { Heap } from './heap.ts';
import { type ClusterEvent, mayHelp } from './hints.ts';

/** A pod that was tried is not tried again sooner than this, and then doubling, up to the maximum; */
const backoffInitialMs = 100;
export const backoffMaxMs = 10_000;
/** and one that no event helped this often in any case. */
export const unschedulableMaxMs = 300_000;
const flushEveryMs = 30_000;

type Place =
  | { in: 'active' }
  | { in: 'backoff'; dueMs: number }
  | { in: 'unschedulable'; sinceMs: number; plugins: ReadonlySet<Plugin> }
  | { in: 'hand'; isMissed: boolean };

interface Entry {
  pod: Pod;
  /** When it began to wait for its turn; of equal priorities the earlier goes first. */
  queuedMs: number;
  order: number;
  attempts: number;
  triedMs: number;
  place: Place;
}

/** A place in a heap; it counts only while the entry is still in the same place. */
interface Ticket {
  entry: Entry;
  place: Place;
}

/**
 * Pods that wait for a node: those whose turn it is by priority, those in their back-off, and those that no node could
 * take, which come back when something happens that may help them.
 */
export class SchedulingQueue {
  #clock: Clock;
  #onReady: () => void;
  #entries = new Map<string, Entry>();
  #unschedulable = new Set<Entry>();
  #active = new Heap<Ticket>(isFirst);
  #backoff = new Heap<Ticket>((a, b) => dueOf(a) < dueOf(b));
  #orders = 0;
  #timer: { dueMs: number; cancel: CancelTimer } | undefined;
  #isStopped = false;

  /** `onReady` is called when `pop` has something to give again. */
  constructor(clock: Clock, onReady: () => void) {
    this.#clock = clock;
    this.#onReady = onReady;
  }

  get size(): number {
    return this.#entries.size;
  }

  has(key: string): boolean {
    return this.#entries.has(key);
  }

  /** Takes in a new pod, or one that changed in a way that may make it schedulable. */
  add(pod: Pod): void {
    const key = keyOf(pod);
    const entry = this.#entries.get(key);
    if (!entry || entry.pod.metadata?.uid !== pod.metadata?.uid) {
      this.delete(key);
      const made: Entry = {
        pod,
        queuedMs: this.#clock.nowMs(),
        order: this.#orders++,
        attempts: 0,
        triedMs: 0,
        place: { in: 'active' },
      };
      this.#entries.set(key, made);
      this.#activate(made);
      return;
    }
    entry.pod = pod;
    if (entry.place.in === 'hand') entry.place.isMissed = true;
    else if (entry.place.in !== 'active') this.#moveOn(entry);
  }

  /** Takes in a change that does not matter to scheduling, the status that we wrote for one. */
  refresh(pod: Pod): void {
    const entry = this.#entries.get(keyOf(pod));
    if (entry && entry.pod.metadata?.uid === pod.metadata?.uid) entry.pod = pod;
  }

  delete(key: string): void {
    const entry = this.#entries.get(key);
    if (!entry) return;
    this.#entries.delete(key);
    this.#unschedulable.delete(entry);
    entry.place = { in: 'hand', isMissed: false };
  }

  /** The pod whose turn it is. It stays known until `delete`, or comes back by `park` or `retry`. */
  pop(): Pod | undefined {
    for (let ticket = this.#active.pop(); ticket; ticket = this.#active.pop()) {
      const { entry, place } = ticket;
      if (entry.place !== place) continue;
      entry.attempts += 1;
      entry.triedMs = this.#clock.nowMs();
      entry.place = { in: 'hand', isMissed: false };
      return entry.pod;
    }
    return undefined;
  }

  /** Puts aside a pod that no node could take, until an event may help it; `plugins` are the rules that refused it. */
  park(key: string, plugins: ReadonlySet<Plugin>): void {
    const entry = this.#entries.get(key);
    if (entry?.place.in !== 'hand') return;
    // What happened meanwhile may have helped already.
    if (entry.place.isMissed) {
      this.#moveOn(entry);
      return;
    }
    entry.place = { in: 'unschedulable', sinceMs: this.#clock.nowMs(), plugins };
    this.#unschedulable.add(entry);
    this.#wakeAt(this.#clock.nowMs() + flushEveryMs);
  }

  /** Tries a pod again after its back-off, whatever happens. */
  retry(key: string): void {
    const entry = this.#entries.get(key);
    if (entry?.place.in === 'hand') this.#moveOn(entry);
  }

  /** Tells of something that happened in the cluster; the pods that it may help get their turn after their back-off. */
  notice(event: ClusterEvent): void {
    for (const entry of this.#unschedulable) {
      const { place } = entry;
      if (place.in === 'unschedulable' && mayHelp(place.plugins, entry.pod, event)) this.#moveOn(entry);
    }
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
    this.#entries.clear();
    this.#unschedulable.clear();
  }

  #moveOn(entry: Entry): void {
    this.#unschedulable.delete(entry);
    const nowMs = this.#clock.nowMs();
    const dueMs =
      entry.attempts === 0
        ? nowMs
        : entry.triedMs + Math.min(backoffMaxMs, backoffInitialMs * 2 ** Math.min(entry.attempts - 1, 20));
    if (dueMs <= nowMs) {
      this.#activate(entry);
      return;
    }
    entry.place = { in: 'backoff', dueMs };
    this.#backoff.push({ entry, place: entry.place });
    this.#wakeAt(dueMs);
  }

  #activate(entry: Entry): void {
    this.#unschedulable.delete(entry);
    entry.queuedMs = this.#clock.nowMs();
    entry.place = { in: 'active' };
    this.#active.push({ entry, place: entry.place });
    this.#onReady();
  }

  #wakeAt(dueMs: number): void {
    if (this.#isStopped || (this.#timer && this.#timer.dueMs <= dueMs)) return;
    this.#timer?.cancel();
    const cancel = this.#clock.after(Math.max(0, dueMs - this.#clock.nowMs()), () => {
      this.#timer = undefined;
      this.#onTime();
    });
    this.#timer = { dueMs, cancel };
  }

  #onTime(): void {
    const nowMs = this.#clock.nowMs();
    for (let next = this.#backoff.peek(); next && dueOf(next) <= nowMs; next = this.#backoff.peek()) {
      this.#backoff.pop();
      if (next.entry.place === next.place) this.#activate(next.entry);
    }
    for (const entry of this.#unschedulable) {
      const { place } = entry;
      if (place.in === 'unschedulable' && nowMs - place.sinceMs >= unschedulableMaxMs) this.#moveOn(entry);
    }
    if (this.#unschedulable.size > 0) this.#wakeAt(nowMs + flushEveryMs);
    const next = this.#backoff.peek();
    if (next) this.#wakeAt(dueOf(next));
  }
}

function isFirst({ entry: a }: Ticket, { entry: b }: Ticket): boolean {
  const [priorityA, priorityB] = [a.pod.spec?.priority ?? 0, b.pod.spec?.priority ?? 0];
  if (priorityA !== priorityB) return priorityA > priorityB;
  return a.queuedMs !== b.queuedMs ? a.queuedMs < b.queuedMs : a.order < b.order;
}

function dueOf({ place }: Ticket): number {
  return place.in === 'backoff' ? place.dueMs : 0;
}
