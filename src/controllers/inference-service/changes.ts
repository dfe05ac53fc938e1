import { conditionOf } from '../../api/conditions.ts';
import type { InferenceService, InferenceServiceStatus } from '../../api/kinds/inferenceService.ts';
import type { DriftSeen } from './drift.ts';
import { servedAnnotation } from './names.ts';
import { driftMessage } from './status.ts';

export interface Change {
  type: 'Normal' | 'Warning';
  reason: string;
  message: string;
}

/** What of a new status people may want to hear of. */
export function changesOf(
  inference: InferenceService,
  status: InferenceServiceStatus,
  { drift, isSwapRefused }: { drift: DriftSeen | undefined; isSwapRefused: boolean },
): Change[] {
  const changes: Change[] = [];
  const [before, after] = [inference.status, status].map((each) => each?.annotations?.[servedAnnotation]);
  if (before && after && before !== after) {
    const message = `All pods serve ${after}, no more ${before}`;
    changes.push({ type: 'Normal', reason: 'ModelServed', message });
  }
  const [failedBefore, failed] = [inference.status, status].map((each) => each?.modelStatus?.lastFailureInfo);
  if (isSwapRefused && failed && failed.message !== failedBefore?.message) {
    const message = `${failed.location} goes on with its model: ${failed.message}`;
    changes.push({ type: 'Warning', reason: 'ModelLoadFailed', message });
  }
  const wasDrifted = conditionOf(inference, 'ModelDrift')?.status === 'True';
  if (drift && drift.drifted !== wasDrifted) {
    const type = drift.drifted ? 'Warning' : 'Normal';
    changes.push({
      type,
      reason: drift.drifted ? 'ModelDrift' : 'ModelDriftEnded',
      message: driftMessage(drift),
    });
  }
  return changes;
}
