import { conditionOf } from '../../api/conditions.ts';
import type { Lease } from '../../api/kinds/lease.ts';
import type { Node } from '../../api/kinds/node.ts';
import type { Clock } from '../../base/clock.ts';

/** A check that comes this late means that this process stood still (a sleeping laptop, a stopped container). */
const stallMs = 10_000;

/** By what a node shows that it lives. */
interface Sign {
  uid: string | undefined;
  renewTime: string | undefined;
  posted: string | undefined;
}

/**
 * When each node was last heard of, by this machine's clock alone: a node whose clock is wrong is not dead, and a
 * control plane that was away itself gives every node its full time again.
 */
export class Heartbeats {
  #clock: Clock;
  #seen = new Map<string, Sign & { atMs: number }>();
  /** No silence began before this. */
  #awakeMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Takes in what is known of the node; only a new sign of life counts. */
  observe(name: string, lease: Lease | undefined, node: Node): void {
    const ready = conditionOf(node, 'Ready');
    // Of the condition only what the node itself wrote: Unknown is our own word.
    const posted = ready && ready.status !== 'Unknown' ? ready.lastHeartbeatTime : undefined;
    const { uid } = node.metadata ?? {};
    const { renewTime } = lease?.spec ?? {};
    const seen = this.#seen.get(name);
    const isNews =
      !seen ||
      seen.uid !== uid ||
      seen.renewTime !== renewTime ||
      // That it says Unknown now is our own word.
      (posted !== undefined && seen.posted !== posted);
    const atMs = isNews ? this.#clock.nowMs() : seen.atMs;
    this.#seen.set(name, { uid, renewTime, posted, atMs });
  }

  silenceMs(name: string): number {
    const seen = this.#seen.get(name);
    return seen ? this.#clock.nowMs() - Math.max(seen.atMs, this.#awakeMs) : 0;
  }

  /** Tells of a check that was due at `dueMs`; true if it came so late that silence proves nothing. */
  noticeStall(dueMs: number): boolean {
    const nowMs = this.#clock.nowMs();
    if (nowMs - dueMs < stallMs) return false;
    this.#awakeMs = nowMs;
    return true;
  }

  forget(name: string): void {
    this.#seen.delete(name);
  }
}
