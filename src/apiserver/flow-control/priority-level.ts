import { dealHand, hashOf } from './shuffle-shard.ts';

/** Why a request is not let in; Kubernetes' words. */
export type Refusal = 'queue-full' | 'concurrency-limit' | 'time-out' | 'cancelled';

/** What a level's configuration comes to. */
export interface LevelLimits {
  /** Seats that it has of its own. */
  nominalSeats: number;
  /** Of these, others may borrow so many. */
  lendableSeats: number;
  /** How many it may borrow at most. */
  borrowableSeats: number;
  /** Without it, what finds no seat is refused. */
  queuing: { queues: number; handSize: number; queueLengthLimit: number } | undefined;
}

/** A request that is let in; `release` gives its seats back. */
export interface Admitted {
  release(): void;
}

interface Waiting {
  seats: number;
  signal: AbortSignal;
  enter(admitted: Admitted): void;
}

/** Requests of the flows that were dealt this queue. */
interface Queue {
  waiting: Waiting[];
  seatsWaiting: number;
  seatsInUse: number;
  /** In milliseconds of a seat: how much of the level the queue has had. */
  virtualStart: number;
}

/** What a request takes of a seat, until it is known. */
const estimatedMs = 3;
/** A request may wait for a quarter of the time that it may take. */
export const waitMsMax = 15_000;

/**
 * The seats of one priority level. Requests beyond them wait in queues, and the queue that had least of the level is
 * served next, so that a flow with many requests waits behind itself.
 */
export class PriorityLevel {
  limits: LevelLimits;
  seatsInUse = 0;
  executing = 0;
  waitingCount = 0;
  readonly #queues = new Map<number, Queue>();
  readonly #now: () => number;
  /** Seats that may be borrowed of others at this moment. */
  readonly #spare: () => number;
  /** Start-time fair queuing: how much a queue has had that was served all the time. */
  #virtualTime = 0;

  constructor(limits: LevelLimits, options: { now: () => number; spareSeats: () => number }) {
    this.limits = limits;
    this.#now = options.now;
    this.#spare = options.spareSeats;
  }

  get seatsBorrowed(): number {
    return Math.max(0, this.seatsInUse - this.limits.nominalSeats);
  }

  /** Of its lendable seats, those that it does not use itself. */
  get seatsToLend(): number {
    const { nominalSeats, lendableSeats } = this.limits;
    return Math.max(0, Math.min(lendableSeats, nominalSeats - this.seatsInUse));
  }

  /** Lets a request of a flow in, now (as what it returns) or later (as a promise), or says why not. */
  admit(flow: string, seats: number, signal: AbortSignal): Admitted | Refusal | Promise<Admitted | Refusal> {
    const { queuing } = this.limits;
    if (!queuing) return this.#hasRoom(seats) ? this.#enter(undefined, seats) : 'concurrency-limit';
    if (this.waitingCount === 0 && this.#queues.size === 0 && this.#hasRoom(seats)) {
      return this.#enter(undefined, seats);
    }
    const queue = this.#queueOf(flow, queuing);
    if (this.waitingCount === 0 && this.#hasRoom(seats)) return this.#enter(queue, seats);
    if (queue.waiting.length >= queuing.queueLengthLimit) return 'queue-full';
    return this.#wait(queue, seats, signal);
  }

  /** Serves who waits as far as there are seats. */
  dispatch(): void {
    while (this.waitingCount > 0) {
      const queue = this.#next();
      const { seats, enter } = queue.waiting[0]!;
      if (!this.#hasRoom(seats)) return;
      this.#takeOut(queue, queue.waiting[0]!);
      enter(this.#enter(queue, seats));
    }
  }

  /** A request that is wider than the level is let in when it is alone. */
  #hasRoom(seats: number): boolean {
    const { nominalSeats, borrowableSeats } = this.limits;
    if (this.seatsInUse === 0) return true;
    const wanted = this.seatsInUse + seats;
    if (wanted <= nominalSeats) return true;
    if (wanted > nominalSeats + borrowableSeats) return false;
    return wanted - Math.max(nominalSeats, this.seatsInUse) <= this.#spare();
  }

  #enter(queue: Queue | undefined, seats: number): Admitted {
    const startMs = this.#now();
    this.executing += 1;
    this.seatsInUse += seats;
    if (queue) {
      queue.seatsInUse += seats;
      this.#virtualTime = Math.max(this.#virtualTime, queue.virtualStart);
      queue.virtualStart = Math.max(this.#virtualTime, queue.virtualStart) + seats * estimatedMs;
    }
    let isReleased = false;
    return {
      release: () => {
        if (isReleased) return;
        isReleased = true;
        this.executing -= 1;
        this.seatsInUse -= seats;
        if (queue) {
          queue.seatsInUse -= seats;
          queue.virtualStart += seats * (this.#now() - startMs - estimatedMs);
        }
        this.dispatch();
        this.#forgetIdle();
      },
    };
  }

  /** Of the flow's hand, the queue with the least to do. */
  #queueOf(flow: string, { queues, handSize }: { queues: number; handSize: number }): Queue {
    const hand = dealHand(hashOf(flow), queues, handSize);
    let best: Queue | undefined;
    let bestIndex = hand[0]!;
    for (const index of hand) {
      const queue = this.#queues.get(index);
      if (!queue) {
        best = undefined;
        bestIndex = index;
        break;
      }
      if (!best || workOf(queue) < workOf(best)) [best, bestIndex] = [queue, index];
    }
    const chosen = best ?? { waiting: [], seatsWaiting: 0, seatsInUse: 0, virtualStart: this.#virtualTime };
    this.#queues.set(bestIndex, chosen);
    return chosen;
  }

  #wait(queue: Queue, seats: number, signal: AbortSignal): Promise<Admitted | Refusal> {
    return new Promise((resolve) => {
      const leave = (why: Refusal) => () => {
        this.#takeOut(queue, waiting);
        settle(why);
        this.#forgetIdle();
      };
      const onAbort = leave('cancelled');
      const timer = setTimeout(leave('time-out'), waitMsMax);
      timer.unref();
      const settle = (outcome: Admitted | Refusal) => {
        clearTimeout(timer);
        signal.removeEventListener('abort', onAbort);
        resolve(outcome);
      };
      const waiting: Waiting = { seats, signal, enter: settle };
      if (queue.waiting.length === 0 && queue.seatsInUse === 0) {
        queue.virtualStart = Math.max(queue.virtualStart, this.#virtualTime);
      }
      queue.waiting.push(waiting);
      queue.seatsWaiting += seats;
      this.waitingCount += 1;
      signal.addEventListener('abort', onAbort);
      if (signal.aborted) onAbort();
      else this.dispatch();
    });
  }

  #takeOut(queue: Queue, waiting: Waiting): void {
    const at = queue.waiting.indexOf(waiting);
    if (at < 0) return;
    queue.waiting.splice(at, 1);
    queue.seatsWaiting -= waiting.seats;
    this.waitingCount -= 1;
  }

  /** Among the queues in which somebody waits, the one whose first request would be done first in a fair world. */
  #next(): Queue {
    let best: Queue | undefined;
    let bestFinish = Number.POSITIVE_INFINITY;
    for (const queue of this.#queues.values()) {
      const first = queue.waiting[0];
      if (!first) continue;
      const finish = queue.virtualStart + first.seats * estimatedMs;
      if (finish < bestFinish) [best, bestFinish] = [queue, finish];
    }
    return best!;
  }

  /** A level that nobody uses keeps nothing. */
  #forgetIdle(): void {
    if (this.seatsInUse > 0 || this.waitingCount > 0) return;
    this.#queues.clear();
    this.#virtualTime = 0;
  }
}

function workOf({ seatsWaiting, seatsInUse }: Queue): number {
  return seatsWaiting + seatsInUse;
}
