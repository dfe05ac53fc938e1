import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Clock } from './clock.ts';
import type { Running } from './lifecycle.ts';

/** This process, or one that a test makes up. */
export interface HeapOwner {
  /** Processor time since the start. */
  cpuMs(): number;
  heap(): { usedBytes: number; heldBytes: number };
  /** Collects everything, and gives back to the system what is not used. */
  release(): void;
}

export const idleCheckMs = 1000;
/** Of one core; less is idle: what a control plane or an agent does when nobody asks it anything. */
export const idleCpuShareMax = 0.05;
/** Idle so many times in a row, so that the gap between two bursts is not taken for the end. */
export const idleChecks = 2;
/** A release stops the process for about 80 ms, so it must be worth it and come seldom. */
export const releaseGapMs = 30_000;
export const surplusBytesMin = 8 * 1024 * 1024;
/** A larger heap takes longer, and belongs to a cluster that is never idle. */
export const releasedHeapBytesMax = 64 * 1024 * 1024;

/**
 * Gives memory back whenever a burst of work is over: V8 keeps the room that starting (17 MB) or a thousand clients
 * (80 MB) took until something presses.
 */
export function releaseMemoryWhenIdle({
  clock,
  owner = thisProcess,
}: {
  clock: Clock;
  owner?: HeapOwner;
}): Running {
  let cpuMs = owner.cpuMs();
  let idleFor = 0;
  let notBeforeMs = 0;
  let keptBytes = 0;
  let cancel = clock.after(idleCheckMs, check);
  return { stop: async () => cancel() };

  function check(): void {
    const spentMs = owner.cpuMs() - cpuMs;
    cpuMs += spentMs;
    idleFor = spentMs <= idleCpuShareMax * idleCheckMs ? idleFor + 1 : 0;
    if (idleFor >= idleChecks && clock.nowMs() >= notBeforeMs && isWorthIt()) {
      owner.release();
      keptBytes = owner.heap().heldBytes;
      cpuMs = owner.cpuMs();
      notBeforeMs = clock.nowMs() + releaseGapMs;
    }
    cancel = clock.after(idleCheckMs, check);
  }

  function isWorthIt(): boolean {
    const { usedBytes, heldBytes } = owner.heap();
    return usedBytes <= releasedHeapBytesMax && heldBytes - keptBytes >= surplusBytesMin;
  }
}

const thisProcess: HeapOwner = {
  cpuMs() {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  },
  heap() {
    const { heapUsed, heapTotal } = process.memoryUsage();
    return { usedBytes: heapUsed, heldBytes: heapTotal };
  },
  release() {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as (options: { type: 'major'; flavor: 'last-resort' }) => void;
    setFlagsFromString('--no-expose-gc');
    // Of all kinds of collection, this alone also gives up the pages that V8 pools.
    collect({ type: 'major', flavor: 'last-resort' });
  },
};
