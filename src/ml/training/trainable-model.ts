import type { Architecture } from '../architecture.ts';
import { batchParts } from '../batch-parts.ts';
import type { Each } from '../by-name.ts';
import type { History } from '../callbacks/history.ts';
import { checkExamples, checkInput, type Targets } from '../check-examples.ts';
import { encodeWeights } from '../export/safetensors.ts';
import type { Loss } from '../losses/loss.ts';
import { type Losses, objectiveOf, type Term } from '../losses/objective.ts';
import { compileMetrics, type Metrics } from '../metrics/compile-metrics.ts';
import type { MetricSpec } from '../metrics/metric.ts';
import type { Optimizer } from '../optimizers/optimizer.ts';
import { anchorSlot } from '../optimizers/proximal.ts';
import { learningRateAt, type Schedule } from '../optimizers/schedules.ts';
import { type Inputs, packInputs, unpackOutputs } from '../packed-inputs.ts';
import { evaluateProgram, predictProgram, trainProgram } from '../programs.ts';
import { randomGenerator } from '../random.ts';
import { ShapeError } from '../shape.ts';
import { summarize } from '../summary.ts';
import type { Tensor } from '../tensor.ts';
import { checkCount } from './check-count.ts';
import { checkedInputs, checkedSource } from './checked-source.ts';
import {
  type BatchSource,
  type Engine,
  type EpochLogs,
  isSource,
  type NamedBatch,
  type Program,
  type TrainingState,
  type TrainJob,
} from './engine.ts';
import { createEngine } from './engine-factory.ts';
import { weighExamples } from './example-weights.ts';
import { runFit } from './fit.ts';
import type { DatasetFitOptions, EvaluateOptions, FitOptions } from './fit-options.ts';

export interface ModelOptions {
  name?: string;
  /** Fixes initial weights, shuffling and dropout. With the same `threads`, the same numbers come out. */
  seed?: number;
  /** Threads of one operator; all processors by default. */
  threads?: number;
}

export interface CompileOptions {
  optimizer: Optimizer;
  /** Of several outputs: one for all, or one for each, in their order or by name; null for one that is not trained. */
  loss: Losses;
  /** How much each output's loss counts in the sum; 1 by default. */
  lossWeights?: Each<number>;
  /** Figures to report beside the loss; `['accuracy']` by default. Of several outputs for each, in their order or by
   * name, and none by default. */
  metrics?: Metrics;
  /** The same, with the weights of examples and classes. */
  weightedMetrics?: Metrics;
}

/** What `compile` made. */
export interface Compiled {
  optimizer: Optimizer;
  terms: Term[];
  metrics: MetricSpec[];
  train: Program;
  /** Of the batch size that was trained with last. */
  whole?: TrainJob['whole'];
  /** Whether each layer is trained. */
  trainable: boolean[];
  evaluate: Program;
}

/** A model that can be trained, evaluated and asked, whatever its layers: `sequential` and `model` make one. */
export class TrainableModel {
  readonly name: string;
  readonly architecture: Architecture;
  /** Set by a callback, ends the training after the epoch at hand. */
  stopTraining = false;
  /** Why what a file says of its training could not be taken up. */
  compileProblem: string | undefined;
  readonly #seed: number;
  readonly #engine: Engine;
  #state: TrainingState;
  #learningRate: number | Schedule = 0;
  #compiled: Compiled | undefined;
  #predict: Program | undefined;
  #compileCount = 0;
  #isTraining = false;

  constructor(architecture: Architecture, { name = 'model', seed = 0, threads }: ModelOptions) {
    this.name = name;
    this.architecture = architecture;
    this.#seed = seed;
    this.#engine = createEngine({ threads });
    this.#state = { weights: initialWeights(architecture, seed), slots: [], iteration: 0 };
  }

  /** All parameters, moving statistics too, in the order of the layers. */
  get weights(): Float32Array {
    return this.#state.weights;
  }

  set weights(weights: Float32Array) {
    const { parameterCount } = this.architecture;
    if (weights.length !== parameterCount) {
      throw new ShapeError(`${this.name} has ${parameterCount} parameters, got ${weights.length} weights`);
    }
    this.#state = { ...this.#state, weights };
  }

  /** The loss that was compiled; undefined also where there are several. */
  get loss(): Loss | undefined {
    const terms = this.#compiled?.terms;
    return terms?.length === 1 ? terms[0]!.loss : undefined;
  }

  /** The rate of the next step. It may be set at any time, unless the optimizer was made with a schedule; a training
   * that runs takes it up at its next epoch. */
  get learningRate(): number {
    return learningRateAt(this.#learningRate, this.#state.iteration);
  }

  set learningRate(rate: number) {
    if (typeof this.#learningRate !== 'number') {
      throw new TypeError(
        `The learning rate of ${this.name} follows ${this.#learningRate.kind}: give the optimizer a number to set it`,
      );
    }
    this.#learningRate = rate;
  }

  /** The weights as a safetensors file, one tensor a parameter, in Keras' shapes and order. */
  weightsFile(): Uint8Array {
    return encodeWeights(
      this.architecture.layers.flatMap((layer) => layer.parameters),
      this.weights,
    );
  }

  /** Sets how the model is trained, and forgets what an optimizer remembered. */
  compile(options: CompileOptions): void {
    const { optimizer, loss, lossWeights, metrics, weightedMetrics } = options ?? {};
    if (typeof optimizer?.update !== 'function')
      throw new TypeError(
        `compile: the optimizer must be one that was made, as adam(), got ${typeof optimizer}`,
      );
    if (this.#isTraining) throw new Error(`compile() while fit() is running on ${this.name}: await it first`);
    const { outputs, parameterCount } = this.architecture;
    const terms = objectiveOf(this.architecture, loss, lossWeights);
    const names = outputs.map(({ name }) => name);
    if (parameterCount === 0)
      throw new ShapeError(`${this.name} has no parameters to train: add conv2d() or dense()`);
    this.#compileCount += 1;
    this.#compiled = {
      optimizer,
      terms,
      metrics: compileMetrics(names, terms, { metrics, weightedMetrics }),
      train: {
        id: `train ${this.#compileCount}`,
        ...trainProgram(this.architecture, terms, optimizer, this.#seed),
      },
      trainable: this.architecture.layers.map(({ layer }) => layer.trainable),
      evaluate: { id: `evaluate ${this.#compileCount}`, bytes: evaluateProgram(this.architecture, terms) },
    };
    this.resetOptimizer();
    this.#learningRate = optimizer.learningRate;
  }

  /** Forgets what the optimizer remembered of earlier steps, and takes the present weights as those that a proximal
   * term keeps near. */
  resetOptimizer(): void {
    const { optimizer } = this.#requireCompiled('resetOptimizer');
    const { weights } = this;
    const slots = optimizer.slots.map((name) =>
      name === anchorSlot ? weights.slice() : new Float32Array(weights.length),
    );
    this.#state = { weights, slots, iteration: 0 };
  }

  /** Trains in another thread: on x [count, ...] and class numbers or values y, as the loss needs them, or on a data
   * set of batches. Several inputs and outputs come in their order or by name. */
  fit(x: Inputs, y: Targets, options?: FitOptions): Promise<History>;
  fit(dataset: BatchSource<NamedBatch>, options?: DatasetFitOptions): Promise<History>;
  async fit(
    x: Inputs | BatchSource<NamedBatch>,
    second?: Targets | DatasetFitOptions,
    third: FitOptions = {},
  ): Promise<History> {
    if (this.#isTraining) throw new Error(`fit() is already running on ${this.name}: await it first`);
    const compiled = this.#requireCompiled('fit');
    this.#isTraining = true;
    this.stopTraining = false;
    try {
      if (!isSource(x) && !second)
        throw new TypeError('fit() got no targets: call fit(x, y, options), or fit(dataset, options)');
      // Of the overloads, a data set comes with options and arrays with targets.
      const [y, options] = isSource(x)
        ? [undefined, (second ?? {}) as FitOptions]
        : [second as Targets, third];
      return await runFit(this, this.#packed(x, 'fit'), y, options, {
        compiled,
        engine: this.#engine,
        seed: this.#seed,
        learningRate: this.#learningRate,
        wholeBatch: (rows) => this.#wholeBatch(compiled, rows),
        getState: () => this.#state,
        setState: (state) => {
          this.#state = state;
        },
      });
    } finally {
      this.#isTraining = false;
    }
  }

  #wholeBatch(compiled: Compiled, rows: number): TrainJob['whole'] {
    if (compiled.whole?.rows === rows) return compiled.whole;
    const parts = batchParts(this.architecture, rows);
    // What is frozen is as compile() found it.
    const isAsCompiled = this.architecture.layers.every(
      ({ layer }, at) => layer.trainable === compiled.trainable[at],
    );
    if (!parts || !isAsCompiled) return undefined;
    const { train, terms, optimizer } = compiled;
    const file = trainProgram(this.architecture, terms, optimizer, this.#seed, parts);
    compiled.whole = { rows, program: { id: `${train.id} by ${rows}`, ...file } };
    return compiled.whole;
  }

  /** The mean loss and the metrics on examples that the model need not have seen. */
  evaluate(x: Inputs, y: Targets, options?: EvaluateOptions): Promise<EpochLogs>;
  evaluate(dataset: BatchSource<NamedBatch>): Promise<EpochLogs>;
  async evaluate(
    inputs: Inputs | BatchSource<NamedBatch>,
    y?: Targets,
    { batchSize = 32, sampleWeight }: EvaluateOptions = {},
  ): Promise<EpochLogs> {
    const { evaluate, terms, metrics } = this.#requireCompiled('evaluate');
    checkCount('batchSize', batchSize);
    const x = this.#packed(inputs, 'evaluate');
    const examples = isSource(x)
      ? checkedSource(this.architecture, x, terms, 'evaluate')
      : // The overloads give targets with arrays.
        weighExamples(
          checkExamples(this.architecture, x, y!, terms, 'evaluate'),
          { sampleWeight },
          terms,
          'evaluate',
        );
    return this.#engine.evaluate({ program: evaluate, weights: this.weights, examples, batchSize, metrics });
  }

  /** The outputs [count, ...] for inputs x [count, ...] or for the inputs of a data set of batches. */
  async predict(x: Inputs | BatchSource<NamedBatch>, options: { batchSize?: number } = {}): Promise<Tensor> {
    const [first, ...others] = await this.predictAll(x, options);
    if (others.length === 0) return first!;
    throw new TypeError(`${this.name} has ${others.length + 1} outputs: use predictAll() or predictByName()`);
  }

  /** The same of a model with several outputs, one tensor for each. */
  async predictAll(
    from: Inputs | BatchSource<NamedBatch>,
    { batchSize = 32 }: { batchSize?: number } = {},
  ): Promise<Tensor[]> {
    const x = this.#packed(from, 'predict');
    if (!isSource(x)) checkInput(this.architecture, x, 'predict');
    checkCount('batchSize', batchSize);
    this.#predict ??= { id: 'predict', bytes: predictProgram(this.architecture) };
    const inputs = isSource(x) ? checkedInputs(this.architecture, x, 'predict') : x;
    const job = { program: this.#predict, weights: this.weights, x: inputs, batchSize };
    return unpackOutputs(this.architecture, await this.#engine.predict(job));
  }

  /** The same by the outputs' names. */
  async predictByName(
    x: Inputs | BatchSource<NamedBatch>,
    options: { batchSize?: number } = {},
  ): Promise<Record<string, Tensor>> {
    const { outputs } = this.architecture;
    const predicted = await this.predictAll(x, options);
    return Object.fromEntries(outputs.map(({ name }, index) => [name, predicted[index]!]));
  }

  #packed(x: Inputs | BatchSource<NamedBatch>, method: string): Tensor | BatchSource<NamedBatch> {
    return isSource(x) ? x : packInputs(this.architecture, x, method);
  }

  /** The layers with their output shapes and parameter counts, as a table. */
  summary(): string {
    return summarize(this.name, this.architecture);
  }

  /** Ends a training after the batch at hand, and the model's thread. The model can be used again; a new thread starts then. */
  close(): Promise<void> {
    return this.#engine.close();
  }

  #requireCompiled(method: string): Compiled {
    if (this.#compiled) return this.#compiled;
    const why = this.compileProblem ? `; as its file says it can't be: ${this.compileProblem}` : '';
    throw new Error(`${method}() needs a compiled model: call compile({ optimizer, loss }) first${why}`);
  }
}

function initialWeights({ layers, parameterCount }: Architecture, seed: number): Float32Array {
  const weights = new Float32Array(parameterCount);
  const random = randomGenerator(seed);
  for (const { shape, offset, initializer } of layers.flatMap((layer) => layer.parameters)) {
    weights.set(initializer(shape, random), offset);
  }
  return weights;
}
