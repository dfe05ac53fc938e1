import { binaryCrossentropy, categoricalCrossentropy } from '../losses/crossentropy.ts';
import type { Loss } from '../losses/loss.ts';
import { huber, meanAbsoluteError, meanSquaredError } from '../losses/regression.ts';
import { sparseCategoricalCrossentropy } from '../losses/sparse-categorical-crossentropy.ts';
import * as m from '../metrics/metric.ts';
import { adam } from '../optimizers/adam.ts';
import { adamW } from '../optimizers/adam-w.ts';
import type { Optimizer } from '../optimizers/optimizer.ts';
import { rmsprop } from '../optimizers/rmsprop.ts';
import * as s from '../optimizers/schedules.ts';
import { sgd } from '../optimizers/sgd.ts';
import type { CompileOptions } from '../training/trainable-model.ts';
import type { Serialized } from './values.ts';

type Config = Record<string, unknown>;

/** Something that Keras names: what takes its arguments, and which of ours each of them is. */
interface Entry<T> {
  make(options: never): T;
  options?: Record<string, string>;
}

/** What changes nothing, whatever it is or where it is this. */
const neutral: Record<string, readonly unknown[] | 'any'> = {
  name: 'any',
  dtype: 'any',
  ema_momentum: 'any',
  ema_overwrite_frequency: 'any',
  reduction: ['sum_over_batch_size', 'auto'],
  axis: [-1],
  use_ema: [false],
  multi_label: [false],
  summation_method: ['interpolation'],
  // tf_keras' and Keras' own way of running a step.
  jit_compile: 'any',
  is_legacy_optimizer: 'any',
};

const entry = <T>(make: (options: never) => T, options: Record<string, string> = {}): Entry<T> => ({
  make,
  options,
});

const logits = { from_logits: 'fromLogits' };
const smoothed = { ...logits, label_smoothing: 'labelSmoothing' };

const losses: Record<string, Entry<Loss>> = {
  sparsecategoricalcrossentropy: entry(sparseCategoricalCrossentropy, logits),
  categoricalcrossentropy: entry(categoricalCrossentropy, smoothed),
  binarycrossentropy: entry(binaryCrossentropy, smoothed),
  meansquarederror: entry(meanSquaredError),
  mse: entry(meanSquaredError),
  meanabsoluteerror: entry(meanAbsoluteError),
  mae: entry(meanAbsoluteError),
  huber: entry(huber, { delta: 'delta' }),
  huberloss: entry(huber, { delta: 'delta' }),
};

const common = {
  learning_rate: 'learningRate',
  weight_decay: 'weightDecay',
  clipnorm: 'clipnorm',
  clipvalue: 'clipvalue',
  global_clipnorm: 'globalClipnorm',
};
const moments = { ...common, beta_1: 'beta1', beta_2: 'beta2', epsilon: 'epsilon', amsgrad: 'amsgrad' };

const optimizers: Record<string, Entry<Optimizer>> = {
  sgd: entry(sgd, { ...common, momentum: 'momentum', nesterov: 'nesterov' }),
  adam: entry(adam, moments),
  adamw: entry(adamW, moments),
  rmsprop: entry(rmsprop, {
    ...common,
    rho: 'rho',
    momentum: 'momentum',
    epsilon: 'epsilon',
    centered: 'centered',
  }),
};

const decay = {
  initial_learning_rate: 'initial',
  decay_steps: 'steps',
  decay_rate: 'rate',
  staircase: 'staircase',
};
type Decay = { initial: number; steps: number; rate: number; staircase: boolean };

const schedules: Record<string, Entry<s.Schedule>> = {
  exponentialdecay: entry(
    ({ initial, steps, rate, ...options }: Decay) => s.exponentialDecay(initial, steps, rate, options),
    decay,
  ),
  inversetimedecay: entry(
    ({ initial, steps, rate, ...options }: Decay) => s.inverseTimeDecay(initial, steps, rate, options),
    decay,
  ),
  piecewiseconstantdecay: entry(
    ({ boundaries, values }: { boundaries: number[]; values: number[] }) =>
      s.piecewiseConstantDecay(boundaries, values),
    { boundaries: 'boundaries', values: 'values' },
  ),
  polynomialdecay: entry(
    ({ initial, steps, ...options }: Pick<Decay, 'initial' | 'steps'>) =>
      s.polynomialDecay(initial, steps, options),
    {
      initial_learning_rate: 'initial',
      decay_steps: 'steps',
      end_learning_rate: 'endLearningRate',
      power: 'power',
      cycle: 'cycle',
    },
  ),
  cosinedecay: entry(
    ({ initial, steps, ...options }: Pick<Decay, 'initial' | 'steps'>) =>
      s.cosineDecay(initial, steps, options),
    {
      initial_learning_rate: 'initial',
      decay_steps: 'steps',
      alpha: 'alpha',
      warmup_target: 'warmupTarget',
      warmup_steps: 'warmupSteps',
    },
  ),
  cosinedecayrestarts: entry(
    ({ initial, steps, ...options }: Pick<Decay, 'initial' | 'steps'>) =>
      s.cosineDecayRestarts(initial, steps, options),
    {
      initial_learning_rate: 'initial',
      first_decay_steps: 'steps',
      t_mul: 'tMul',
      m_mul: 'mMul',
      alpha: 'alpha',
    },
  ),
};

const named = { name: 'name' };
const withThreshold = { ...named, threshold: 'threshold', thresholds: 'threshold' };
const metrics: Record<string, Entry<m.MetricSpec>> = {
  binaryaccuracy: entry(m.binaryAccuracy, withThreshold),
  categoricalaccuracy: entry(m.categoricalAccuracy, named),
  sparsecategoricalaccuracy: entry(m.sparseCategoricalAccuracy, named),
  topkcategoricalaccuracy: entry(m.topKCategoricalAccuracy, { ...named, k: 'k' }),
  sparsetopkcategoricalaccuracy: entry(m.sparseTopKCategoricalAccuracy, { ...named, k: 'k' }),
  meanabsoluteerror: entry(m.meanAbsoluteErrorMetric, named),
  meansquarederror: entry(m.meanSquaredErrorMetric, named),
  rootmeansquarederror: entry(m.rootMeanSquaredError, named),
  precision: entry(m.precision, withThreshold),
  recall: entry(m.recall, withThreshold),
  f1score: entry(m.f1Score, { ...withThreshold, average: 'average' }),
  auc: entry(m.auc, {
    ...named,
    num_thresholds: 'numThresholds',
    curve: 'curve',
    from_logits: 'fromLogits',
  }),
};

/** How a `.keras` file's model was compiled, from its `compile_config`.
 * @throws Error that names what is not supported. */
export function decodeCompileConfig(config: Config): CompileOptions {
  const { optimizer, loss, loss_weights: weights, metrics: plain, weighted_metrics: weighted } = config;
  if (loss === null || loss === undefined) throw new Error('it has no loss');
  return {
    optimizer: decode('optimizer', optimizers, optimizer),
    loss: each(loss, (one) => (one === null ? null : decode('loss', losses, one))) as CompileOptions['loss'],
    ...(isGiven(weights) && { lossWeights: weights as Record<string, number> }),
    // Keras reports no metric that was not asked for.
    metrics: isGiven(plain) ? metricsOf(plain) : [],
    ...(isGiven(weighted) && { weightedMetrics: metricsOf(weighted) }),
  };
}

const isGiven = (value: unknown): boolean => value !== null && value !== undefined;

const metricsOf = (given: unknown): NonNullable<CompileOptions['metrics']> =>
  // Lists and names stand where Keras had them, which is where ours stand.
  each(given, (one) => (one === null ? null : metricOf(one))) as NonNullable<CompileOptions['metrics']>;

/** Names that Keras and we read alike. */
const shortNames = ['accuracy', 'acc', 'mae', 'mse'] as const;

function metricOf(given: unknown): m.Metric {
  const short = shortNames.find((name) => name === given);
  return short ?? decode('metric', metrics, given);
}

/** A thing, or lists and records of it. */
function each(given: unknown, change: (one: unknown) => unknown): unknown {
  if (Array.isArray(given)) return given.map((one) => each(one, change));
  if (typeof given !== 'object' || given === null || isSerialized(given)) return change(given);
  return Object.fromEntries(Object.entries(given).map(([name, one]) => [name, each(one, change)]));
}

const isSerialized = (value: unknown): value is Serialized =>
  typeof (value as Partial<Serialized> | null)?.class_name === 'string';

function decode<T>(what: string, table: Record<string, Entry<T>>, given: unknown): T {
  const type = isSerialized(given) ? given.class_name : given;
  const config: Config = isSerialized(given) ? given.config : {};
  const key = typeof type === 'string' ? type.replaceAll('_', '').toLowerCase() : '';
  const found = Object.hasOwn(table, key) ? table[key] : undefined;
  if (!found) throw new Error(`the ${what} ${JSON.stringify(type)} is not supported`);
  const options = Object.entries(config).flatMap(([argument, value]): [string, unknown][] => {
    const ours = found.options?.[argument];
    if (ours !== undefined) return value === null ? [] : [[ours, argumentOf(value)]];
    const allowed = Object.hasOwn(neutral, argument) ? neutral[argument]! : [];
    if (value === null || allowed === 'any' || allowed.includes(value)) return [];
    throw new Error(`the ${what} ${type}'s ${argument}: ${JSON.stringify(value)} is not supported`);
  });
  // The table names the options that each of them takes.
  return found.make(Object.fromEntries(options) as never);
}

/** A schedule, a list of one threshold, or what it is. */
function argumentOf(value: unknown): unknown {
  if (isSerialized(value)) return decode('schedule', schedules, value);
  return value;
}
