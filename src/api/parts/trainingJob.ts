import {
  any,
  boolean,
  integer,
  list,
  map,
  number,
  object,
  oneOf,
  quantity,
  refine,
  required,
  string,
  type TypeOf,
} from '../schema.ts';
import { toleration } from './affinity.ts';
import { federatedTraining } from './federatedTraining.ts';
import { resourceRequirements } from './resources.ts';
import { trainingDataset } from './trainingDataset.ts';

const component = 'dev.selvage.learning.v1alpha1.';

const modelModule = object(`${component}ModelModule`, {
  image: required(string({ doc: 'The image with the module, as `selvage build` makes one.' })),
  path: string({ doc: 'The module in it.', default: 'app/model.ts' }),
});

export const trainingModel = object(
  `${component}Model`,
  {
    keras: string({
      doc: 'The model as the to_json() of Keras writes it.',
      check(value, at, report) {
        if (!isJson(value))
          report.invalid(at, shortened(value), 'must be the text that to_json() of Keras gives');
      },
    }),
    module: refine(modelModule, {
      doc: 'A module whose default export is the model, or a function that makes it.',
    }),
    labels: list(string(), { doc: 'Names of the classes, where the data have none.' }),
    preprocess: list(any(), { doc: 'What the model server does before the model, e.g. {op: decode}.' }),
    postprocess: list(any(), { doc: 'What the model server does after the model, e.g. {op: softmax}.' }),
  },
  {
    doc: 'The network, of selvage/ml or of Keras.',
    check({ keras, module }, at, report) {
      if (keras === undefined && module === undefined) report.required(at, 'one of keras, module');
      if (keras !== undefined && module) report.forbidden(at.child('module'), 'may not be beside keras');
    },
  },
);
export type TrainingModel = TypeOf<typeof trainingModel>;

function isJson(text: string): boolean {
  try {
    return typeof JSON.parse(text) === 'object';
  } catch {
    return false;
  }
}

const shortened = (text: string): string => (text.length > 60 ? `${text.slice(0, 60)}…` : text);

export const lossNames = [
  'binaryCrossentropy',
  'categoricalCrossentropy',
  'huber',
  'meanAbsoluteError',
  'meanSquaredError',
  'sparseCategoricalCrossentropy',
] as const;

/** Whether what is learned with a loss is right or wrong, rather than nearer or further. */
export const isClassifying = (lossName: string): boolean => lossName.endsWith('Crossentropy');

const loss = object(`${component}Loss`, {
  name: required(oneOf(lossNames, { doc: 'As in Keras.' })),
  fromLogits: boolean({ doc: 'Whether the outputs are logits rather than probabilities.' }),
  labelSmoothing: number({ doc: 'The share of the target that is spread over all classes.', min: 0, max: 1 }),
  delta: number({ doc: 'Where huber turns from square to line.' }),
});

export const optimizerNames = ['adam', 'adamW', 'rmsprop', 'sgd'] as const;

const positive = { min: 0 };
const optimizer = object(`${component}Optimizer`, {
  name: oneOf(optimizerNames, { doc: 'As in Keras.', default: 'adam' }),
  learningRate: number({ doc: 'The size of a step.', ...positive }),
  momentum: number({ doc: 'Of sgd and rmsprop.', ...positive }),
  nesterov: boolean({ doc: 'Of sgd.' }),
  rho: number({ doc: 'Of rmsprop.', ...positive }),
  beta1: number({ doc: 'Of adam and adamW.', ...positive }),
  beta2: number({ doc: 'Of adam and adamW.', ...positive }),
  epsilon: number({ doc: 'Keeps divisions from growing without bound.', ...positive }),
  weightDecay: number({ doc: 'How much weights shrink in each step.', ...positive }),
  clipnorm: number({ doc: "Bound of each parameter's gradient.", ...positive }),
  globalClipnorm: number({ doc: 'Bound of all gradients together.', ...positive }),
});

export const metricNames = [
  'accuracy',
  'auc',
  'binaryAccuracy',
  'categoricalAccuracy',
  'f1Score',
  'mae',
  'mse',
  'precision',
  'recall',
  'rootMeanSquaredError',
  'sparseCategoricalAccuracy',
  'sparseTopKCategoricalAccuracy',
  'topKCategoricalAccuracy',
] as const;
const metric = oneOf(metricNames);

const checkpoint = object(`${component}Checkpoint`, {
  everyBatches: integer({
    doc: 'Batches between two; one is made after every epoch too.',
    default: 100,
    min: 1,
  }),
  claimName: string({
    doc: 'A claim of yours to keep them on; one is made, and goes with the job, if absent.',
  }),
  storage: quantity({ doc: 'How large the claim is that is made.', default: '1Gi' }),
  storageClassName: string({ doc: 'Its class; the default one if absent.' }),
});

const promote = object(`${component}Promote`, {
  inferenceService: required(string({ doc: 'The InferenceService whose model may be replaced.' })),
  metric: refine(metric, { doc: 'What is compared, on the test set.', default: 'accuracy' }),
  minDelta: number({ doc: 'By how much the new model must be better at least.', default: 0, min: 0 }),
  canaryTrafficPercent: integer({
    doc: 'The share of requests that the new model gets at first; all if absent.',
    min: 0,
    max: 100,
  }),
});
export type TrainingPromotion = TypeOf<typeof promote>;

/** Where the cluster's registry keeps what jobs have trained. */
export const modelsPrefix = 'models/';

export const trainingJobSpec = object(
  `${component}TrainingJobSpec`,
  {
    activeDeadlineSeconds: integer({ doc: 'How long the job may run, all tries together.', min: 0 }),
    backoffLimit: integer({ doc: 'How many pods may fail before the job has failed.', default: 6, min: 0 }),
    batchSize: integer({ doc: 'Examples a step.', default: 32, min: 1 }),
    checkpoint: refine(checkpoint, {
      doc: 'How the training is kept, to go on after its pod has died.',
      default: {},
    }),
    dataset: required(trainingDataset),
    epochs: integer({
      doc: 'How often all examples are gone through; with federated, by each client in each round.',
      default: 1,
      min: 1,
    }),
    federated: federatedTraining,
    loss: required(refine(loss, { doc: 'What is made small.' })),
    metrics: list(metric, { doc: 'What is measured beside the loss; accuracy, of values mae, if absent.' }),
    model: required(trainingModel),
    nodeSelector: map(string(), { doc: 'Labels of the nodes that have the data.', listType: 'atomic' }),
    optimizer: refine(optimizer, { doc: 'How the weights are changed.', default: {} }),
    output: string({
      doc: "Where the trained model goes in the cluster's registry, e.g. models/mine:v1.",
      check(value, at, report) {
        if (!/^models\/[a-z0-9]+([._/-]+[a-z0-9]+)*(:[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?$/.test(value)) {
          report.invalid(at, value, 'must be models/<name>:<tag>, a place in the registry of the cluster');
        }
      },
    }),
    promote: refine(promote, {
      doc: 'Puts the trained model into service if it is better than the one there.',
    }),
    resources: refine(resourceRequirements, { doc: 'Of the pod that trains.' }),
    seed: integer({ doc: 'Fixes initial weights, order and dropout.', default: 0 }),
    suspend: boolean({ doc: 'Whether it waits; what is trained stays in its checkpoint.', default: false }),
    threads: integer({
      doc: 'Threads that train; as many as there are processors if absent.',
      min: 1,
      max: 256,
    }),
    tolerations: list(toleration, { doc: 'Taints of nodes that do not keep it away.' }),
    ttlSecondsAfterFinished: integer({
      doc: 'How long it is kept after it finished; for ever if absent.',
      min: 0,
    }),
  },
  { doc: 'What to train, on what, how long, and what becomes of it.' },
);
export type TrainingJobSpec = TypeOf<typeof trainingJobSpec>;
