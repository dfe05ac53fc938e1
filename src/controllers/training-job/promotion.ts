import type { InferenceService } from '../../api/kinds/inferenceService.ts';
import type { TrainingJob } from '../../api/kinds/trainingJob.ts';

/** What the trained model's measure means for what is in service. */
export type Promotion =
  | { isPromoted: true; reason: 'Better'; message: string; storageUri: string }
  | { isPromoted: false; reason: 'NotBetter' | 'NotComparable' | 'NotFound'; message: string };

/** Of these the smaller is the better. */
const errors = ['mae', 'mse', 'rootMeanSquaredError'];

/**
 * Whether the trained model goes into service: only if both were measured on the same examples, what was measured is
 * what is in service now, and the new one is better by what was asked. Undefined where nobody asked or no result is there.
 */
export function decidePromotion(
  training: TrainingJob,
  service: InferenceService | undefined,
): Promotion | undefined {
  const { promote } = training.spec;
  const { result } = training.status ?? {};
  if (!promote || !result?.image) return undefined;
  const { inferenceService: name, metric = 'accuracy', minDelta = 0 } = promote;
  const stay = (reason: 'NotBetter' | 'NotComparable' | 'NotFound', message: string): Promotion => ({
    isPromoted: false,
    reason,
    message,
  });
  if (!service) return stay('NotFound', `there is no InferenceService "${name}"`);
  const storageUri = `oci://${result.image}`;
  const current = service.spec?.predictor.model?.storageUri ?? '';
  const { serving } = result;
  const [ours, theirs] = [result.metrics?.[metric], serving?.metrics?.[metric]];
  if (ours === undefined) return stay('NotComparable', `the trained model has no ${metric}`);
  if (theirs === undefined) {
    const why = serving?.problem ?? `it has no ${metric}`;
    return stay('NotComparable', `the model in service can't be measured: ${why}`);
  }
  // It has been done already, by a controller that could not say so any more.
  if (current !== serving?.image && current !== storageUri) {
    return stay('NotComparable', `${current} was put into service after ${serving?.image} was measured`);
  }
  const gain = errors.includes(metric) ? theirs - ours : ours - theirs;
  const figures = `${metric} ${shown(ours)} against ${shown(theirs)} of ${serving?.image}`;
  if (gain > minDelta || (gain === minDelta && minDelta > 0)) {
    return { isPromoted: true, reason: 'Better', message: figures, storageUri };
  }
  const asked = minDelta > 0 ? `, ${shown(minDelta)} better was asked for` : '';
  return stay('NotBetter', figures + asked);
}

const shown = (value: number): string => value.toFixed(4);

/** The merge patch of the InferenceService that puts a model into service. */
export function promotionPatch(training: TrainingJob, storageUri: string): object {
  const { canaryTrafficPercent = null } = training.spec.promote ?? {};
  return { spec: { predictor: { canaryTrafficPercent, model: { storageUri } } } };
}
