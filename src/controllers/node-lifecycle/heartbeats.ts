import { conditionOf } from '../../api/conditions.ts';
import type { Lease } from '../../api/kinds/lease.ts';
import type { Node } from '../../api/kinds/node.ts';
import type { Clock } from '../../base/clock.ts';

/** A check that comes this late means that this process stood still (a sleeping laptop, a stopped container). */
const stallMs = 10_000;

/**
 * When each node was last heard of, by this machine's clock alone: a node whose clock is wrong is not dead, and a
 * control plane that was away itself gives every node its full time again.
 */
export class Heartbeats {
  #clock: Clock;
  #seen = new Map<string, { sign: string; atMs: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Takes in what is known of the node; only a new sign of life counts. */
  observe(name: string, lease: Lease | undefined, node: Node): void {
    const ready = conditionOf(node, 'Ready');
    // Of the condition only what the node itself wrote: Unknown is our own word.
    const posted = ready && ready.status !== 'Unknown' ? ready.lastHeartbeatTime : undefined;
    const sign = JSON.stringify([node.metadata?.uid, lease?.spec?.renewTime, posted]);
    const seen = this.#seen.get(name);
    if (!seen) this.#seen.set(name, { sign, atMs: this.#clock.nowMs() });
    else if (seen.sign !== sign) {
      const isOwnWrite = posted === undefined && isSameBut(seen.sign, sign);
      this.#seen.set(name, { sign, atMs: isOwnWrite ? seen.atMs : this.#clock.nowMs() });
    }
  }

  silenceMs(name: string): number {
    const seen = this.#seen.get(name);
    return seen ? this.#clock.nowMs() - seen.atMs : 0;
  }

  /** Tells of a check that was due at `dueMs`; true if it came so late that silence proves nothing. */
  noticeStall(dueMs: number): boolean {
    const nowMs = this.#clock.nowMs();
    if (nowMs - dueMs < stallMs) return false;
    for (const [name, seen] of this.#seen) this.#seen.set(name, { ...seen, atMs: nowMs });
    return true;
  }

  forget(name: string): void {
    this.#seen.delete(name);
  }
}

/** Whether two signs differ in the posted condition only. */
function isSameBut(a: string, b: string): boolean {
  const [left, right] = [JSON.parse(a) as unknown[], JSON.parse(b) as unknown[]];
  return left[0] === right[0] && left[1] === right[1];
}
