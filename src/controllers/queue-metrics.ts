import { type Metrics, Tally } from '../base/metrics.ts';
import type { WorkQueueCounts } from '../client/work-queue.ts';

const bucketsSeconds = [1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.1, 1, 10, 100, 1000];

/** What a work queue counts into; `depth` tells how many keys wait. */
export function queueCounts(): WorkQueueCounts {
  return {
    adds: 0,
    retries: 0,
    waitSeconds: new Tally(bucketsSeconds),
    workSeconds: new Tally(bucketsSeconds),
  };
}

/** The metrics of one controller's queue, by the names of Kubernetes' controllers. */
export function exposeQueue(
  metrics: Metrics,
  name: string,
  { counts, depth }: { counts: WorkQueueCounts; depth: () => number },
): void {
  const labels = { name };
  const size = metrics.gauge('workqueue_depth', 'Keys that wait or are being handled.');
  const adds = metrics.counter('workqueue_adds_total', 'Keys that were added.');
  const retries = metrics.counter('workqueue_retries_total', 'Keys that were handled in vain.');
  const waits = metrics.histogram(
    'workqueue_queue_duration_seconds',
    'How long keys waited before they were handled.',
    bucketsSeconds,
  );
  const works = metrics.histogram(
    'workqueue_work_duration_seconds',
    'How long handling a key took.',
    bucketsSeconds,
  );
  metrics.beforeExposing(() => {
    size.set(depth(), labels);
    adds.setTotal(counts.adds, labels);
    retries.setTotal(counts.retries, labels);
    counts.waitSeconds.moveTo(waits, labels);
    counts.workSeconds.moveTo(works, labels);
  });
}
