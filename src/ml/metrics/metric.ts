import type { Loss } from '../losses/loss.ts';
import { ShapeError } from '../shape.ts';
import type { OutputPart } from './answers.ts';

/** A metric as plain data, so that it can travel to the thread that trains; `accumulator.ts` counts it. */
export interface MetricSpec {
  kind: MetricKind;
  /** The figure's name in logs, Keras' by default. */
  name: string;
  /** Outputs above it answer yes. */
  threshold?: number | undefined;
  /** How many of the largest outputs count as answers. */
  k?: number | undefined;
  average?: F1Average | undefined;
  thresholds?: number | undefined;
  curve?: 'ROC' | 'PR' | undefined;
  fromLogits?: boolean | undefined;
  /** Whether the weights of examples count. */
  isWeighted?: boolean | undefined;
  /** The output that is counted, of several. */
  part?: OutputPart | undefined;
}

export type MetricKind =
  | 'classAccuracy'
  | 'binaryAccuracy'
  | 'topK'
  | 'meanAbsoluteError'
  | 'meanSquaredError'
  | 'rootMeanSquaredError'
  | 'precision'
  | 'recall'
  | 'f1Score'
  | 'auc'
  /** The loss of one output of several. */
  | 'outputLoss';

type F1Average = 'micro' | 'macro' | 'weighted';

/** A metric by name or made by one of the functions here (https://keras.io/api/metrics/). */
export type Metric = MetricName | MetricSpec;

interface Named {
  name?: string;
}

const spec = (
  kind: MetricKind,
  name: string,
  options: Omit<MetricSpec, 'kind' | 'name'> = {},
): MetricSpec => ({
  kind,
  name,
  ...options,
});

/** The share of outputs on the right side of `threshold`. */
export const binaryAccuracy = ({
  threshold = 0.5,
  name = 'binary_accuracy',
}: Named & { threshold?: number } = {}): MetricSpec => spec('binaryAccuracy', name, { threshold });

/** The share of examples whose largest output is at the largest target. */
export const categoricalAccuracy = ({ name = 'categorical_accuracy' }: Named = {}): MetricSpec =>
  spec('classAccuracy', name);

/** The share of examples whose largest output is at the class number. */
export const sparseCategoricalAccuracy = ({ name = 'sparse_categorical_accuracy' }: Named = {}): MetricSpec =>
  spec('classAccuracy', name);

/** The share of examples whose right class is among the `k` largest outputs; ties count as right. */
export const topKCategoricalAccuracy = ({
  k = 5,
  name = 'top_k_categorical_accuracy',
}: Named & { k?: number } = {}): MetricSpec => spec('topK', name, { k });

export const sparseTopKCategoricalAccuracy = ({
  k = 5,
  name = 'sparse_top_k_categorical_accuracy',
}: Named & { k?: number } = {}): MetricSpec => spec('topK', name, { k });

export const meanAbsoluteErrorMetric = ({ name = 'mean_absolute_error' }: Named = {}): MetricSpec =>
  spec('meanAbsoluteError', name);

export const meanSquaredErrorMetric = ({ name = 'mean_squared_error' }: Named = {}): MetricSpec =>
  spec('meanSquaredError', name);

export const rootMeanSquaredError = ({ name = 'root_mean_squared_error' }: Named = {}): MetricSpec =>
  spec('rootMeanSquaredError', name);

/** Of the outputs above `threshold`, the share that should be. */
export const precision = ({
  threshold = 0.5,
  name = 'precision',
}: Named & { threshold?: number } = {}): MetricSpec => spec('precision', name, { threshold });

/** Of the outputs that should be above `threshold`, the share that is. */
export const recall = ({
  threshold = 0.5,
  name = 'recall',
}: Named & { threshold?: number } = {}): MetricSpec => spec('recall', name, { threshold });

/** The harmonic mean of precision and recall, by class and then averaged. Without `threshold` the largest output of
 * an example is its answer. Keras' default of no average, a figure a class, is not there: a log holds numbers. */
export const f1Score = ({
  average = 'macro',
  threshold,
  name = 'f1_score',
}: Named & { average?: F1Average; threshold?: number } = {}): MetricSpec =>
  spec('f1Score', name, { average, threshold });

/** The area under a curve, by `numThresholds` thresholds spread evenly and Keras' interpolation. */
export const auc = ({
  numThresholds = 200,
  curve = 'ROC',
  fromLogits = false,
  name = 'auc',
}: Named & { numThresholds?: number; curve?: 'ROC' | 'PR'; fromLogits?: boolean } = {}): MetricSpec => {
  if (!Number.isInteger(numThresholds) || numThresholds < 2)
    throw new RangeError(`auc: numThresholds must be a whole number above 1, got ${numThresholds}`);
  return spec('auc', name, { thresholds: numThresholds, curve, fromLogits });
};

const byName = {
  mae: () => meanAbsoluteErrorMetric({ name: 'mae' }),
  mse: () => meanSquaredErrorMetric({ name: 'mse' }),
  meanAbsoluteError: meanAbsoluteErrorMetric,
  meanSquaredError: meanSquaredErrorMetric,
  rootMeanSquaredError,
  binaryAccuracy,
  categoricalAccuracy,
  sparseCategoricalAccuracy,
  topKCategoricalAccuracy,
  sparseTopKCategoricalAccuracy,
  precision,
  recall,
  f1Score,
  auc,
};

export type MetricName = keyof typeof byName | 'accuracy' | 'acc';

/** The metrics of a model with the given loss and number of outputs.
 * @throws RangeError for an unknown name or one that stands twice. */
export function resolveMetrics(
  metrics: readonly Metric[],
  weightedMetrics: readonly Metric[],
  loss: Loss,
  outputs: number,
): MetricSpec[] {
  const resolve = (metric: Metric): MetricSpec => {
    if (typeof metric !== 'string') return metric;
    if (metric === 'accuracy' || metric === 'acc') return { ...accuracyOf(loss, outputs), name: metric };
    const make = Object.hasOwn(byName, metric) ? byName[metric] : undefined;
    if (make) return make();
    const known = ['accuracy', ...Object.keys(byName)].join(', ');
    throw new RangeError(`compile: there is no metric "${metric}"; there are ${known}`);
  };
  const specs = [
    ...metrics.map(resolve),
    ...weightedMetrics.map((metric) => ({ ...resolve(metric), isWeighted: true })),
  ];
  for (const [index, { name, k }] of specs.entries()) {
    if (name === 'loss' || specs.findIndex((other) => other.name === name) < index)
      throw new RangeError(`compile: two figures are named "${name}": give one a name, as { name: '…' }`);
    if (k !== undefined && !(k >= 1)) throw new ShapeError(`${name}: k must be at least 1, got ${k}`);
  }
  return specs;
}

/** What Keras takes "accuracy" for: a single output answers yes from one half on (logits, unlike in Keras: from 0);
 * of several outputs the largest is the answer. */
function accuracyOf({ fromLogits, targets }: Loss, outputs: number): MetricSpec {
  if (targets === 'classes' || outputs !== 1) return sparseCategoricalAccuracy();
  return binaryAccuracy({ threshold: fromLogits ? 0 : 0.5 });
}
