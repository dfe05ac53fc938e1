import type { Clock } from './clock.ts';
import { garbageCollector } from './garbage-collector.ts';
import type { Running } from './lifecycle.ts';
import { trimMalloc } from './trim-malloc.ts';

/** This process, or one that a test makes up. */
export interface HeapOwner {
  /** Processor time since the start. */
  cpuMs(): number;
  /** What objects take, what the heap holds for them, and what the system has given beside it, program and all. */
  memory(): { usedBytes: number; heapBytes: number; outsideBytes: number };
  /** Collects everything, and gives back what the heap does not use. */
  collect(): void;
  /** Gives back what is free outside of the heap; does not reject. */
  trim(): Promise<unknown>;
}

export const idleCheckMs = 1000;
/** Of one core; less is idle: what a control plane or an agent does when nobody asks it anything. */
export const idleCpuShareMax = 0.05;
/** Idle so many times in a row, so that the gap between two bursts is not taken for the end. */
export const idleChecks = 2;
/** A release stops the process for about 80 ms, so it must be worth it and come seldom. */
export const releaseGapMs = 30_000;
export const surplusBytesMin = 8 * 1024 * 1024;
/** Beyond what the process began with; the thread that trims takes some 7 MB of program with it. */
export const outsideBytesMin = 24 * 1024 * 1024;
/** A larger heap takes longer, and belongs to a cluster that is never idle. */
export const releasedHeapBytesMax = 64 * 1024 * 1024;

/**
 * Gives memory back whenever a burst of work is over: V8 and the C library keep the room that starting (17 MB) or a
 * thousand clients (150 MB) took until something presses.
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
  let outsideBytes = owner.memory().outsideBytes;
  let cancel = clock.after(idleCheckMs, check);
  return { stop: async () => cancel() };

  function check(): void {
    const spentMs = owner.cpuMs() - cpuMs;
    cpuMs += spentMs;
    idleFor = spentMs <= idleCpuShareMax * idleCheckMs ? idleFor + 1 : 0;
    if (idleFor >= idleChecks && clock.nowMs() >= notBeforeMs && isWorthIt()) release();
    cancel = clock.after(idleCheckMs, check);
  }

  function isWorthIt(): boolean {
    const { usedBytes, heapBytes } = owner.memory();
    return usedBytes <= releasedHeapBytesMax && (heapBytes - keptBytes >= surplusBytesMin || hasOutside());
  }

  function hasOutside(): boolean {
    return owner.memory().outsideBytes - outsideBytes >= outsideBytesMin;
  }

  function keepOutside(): void {
    outsideBytes = owner.memory().outsideBytes;
  }

  function release(): void {
    owner.collect();
    if (hasOutside()) void owner.trim().then(keepOutside);
    keptBytes = owner.memory().heapBytes;
    cpuMs = owner.cpuMs();
    notBeforeMs = clock.nowMs() + releaseGapMs;
  }
}

const thisProcess: HeapOwner = {
  cpuMs() {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  },
  memory() {
    const { heapUsed, heapTotal, rss } = process.memoryUsage();
    return { usedBytes: heapUsed, heapBytes: heapTotal, outsideBytes: rss - heapTotal };
  },
  collect: () => garbageCollector()(),
  trim: trimMalloc,
};
