import type { Clock } from '../base/clock.ts';
import type { PodRecord } from './pods/record.ts';

/** Pods of this priority and above, up to that of the next entry, have so long to end when the node shuts down. */
export interface ShutdownGracePeriod {
  priority: number;
  seconds: number;
}

export const shutdownReason = 'Terminated';
export const shutdownMessage = 'Pod was terminated in response to imminent node shutdown.';
export const refusalReason = 'NodeShutdown';
export const refusalMessage = 'Pod was rejected as the node is shutting down.';
/** `system-cluster-critical`. */
const criticalPriority = 2_000_000_000;

/** As kubelet reads `shutdownGracePeriod` and `shutdownGracePeriodCriticalPods`: the second is a part of the first. */
export function periodsOf(seconds: number, criticalSeconds: number): ShutdownGracePeriod[] {
  if (seconds === 0) return [];
  return [
    { priority: 0, seconds: seconds - criticalSeconds },
    { priority: criticalPriority, seconds: criticalSeconds },
  ];
}

/**
 * Ends pods in the order of their priority, the least important first: each group has its time, and the next begins
 * when the last pod of it has ended or the time is over.
 * https://kubernetes.io/docs/concepts/cluster-administration/node-shutdown/
 */
export async function endInOrder(options: {
  periods: readonly ShutdownGracePeriod[];
  records: readonly PodRecord[];
  clock: Clock;
  /** Resolves when the pod has ended and the server knows. */
  end: (record: PodRecord, graceSeconds: number) => Promise<void>;
}): Promise<void> {
  const { periods, records, clock, end } = options;
  for (const { seconds, members } of groups(periods, records)) {
    if (members.length === 0) continue;
    const over = Promise.withResolvers<void>();
    const cancel = clock.after(seconds * 1000, over.resolve);
    await Promise.race([over.promise, Promise.all(members.map((record) => end(record, seconds)))]);
    cancel();
  }
}

/** A pod below the lowest priority that is named goes with those. */
function groups(periods: readonly ShutdownGracePeriod[], records: readonly PodRecord[]) {
  const sorted = [...periods].sort((a, b) => a.priority - b.priority);
  const found = sorted.map(({ seconds }) => ({ seconds, members: [] as PodRecord[] }));
  for (const record of records) {
    const priority = record.pod.spec?.priority ?? 0;
    const at = sorted.findLastIndex((period) => period.priority <= priority);
    found[Math.max(0, at)]?.members.push(record);
  }
  return found;
}
