import { type Architecture, architecture } from './architecture.ts';
import type { Callback } from './callbacks/callback.ts';
import { type History, historyRecorder } from './callbacks/history.ts';
import { checkExamples, checkInput, type Targets } from './check-examples.ts';
import type { Input } from './layers/input.ts';
import type { Layer } from './layers/layer.ts';
import type { Loss } from './losses/loss.ts';
import type { Optimizer } from './optimizers/optimizer.ts';
import { evaluateProgram, predictProgram, trainProgram } from './programs.ts';
import { randomGenerator } from './random.ts';
import { ShapeError } from './shape.ts';
import { summarize } from './summary.ts';
import type { Tensor } from './tensor.ts';
import type { Engine, Examples, Program, TrainingState } from './training/engine.ts';
import { createEngine } from './training/engine-factory.ts';
import { splitExamples } from './training/validation-split.ts';

export interface SequentialOptions {
  name?: string;
  /** Fixes initial weights, shuffling and dropout. With the same `threads`, the same numbers come out. */
  seed?: number;
  /** Threads of one operator; all processors by default. */
  threads?: number;
}

export interface CompileOptions {
  optimizer: Optimizer;
  loss: Loss;
}

export interface FitOptions {
  epochs?: number;
  batchSize?: number;
  shuffle?: boolean;
  validationData?: [x: Tensor, y: Targets];
  /** The share of the examples, the last ones, that is kept for validation; `validationData` goes before it. */
  validationSplit?: number;
  callbacks?: Callback[];
  /** Ends the training after the batch at hand; the weights so far stay. */
  signal?: AbortSignal;
}

/** A stack of layers that begins with `input(...)`, as Keras' Sequential.
 * @throws ShapeError where a layer cannot take what the one before it gives. */
export function sequential(layers: (Input | Layer)[], options: SequentialOptions = {}): Sequential {
  return new Sequential(architecture(layers), options);
}

export class Sequential {
  readonly name: string;
  readonly architecture: Architecture;
  /** Set by a callback, ends the training after the epoch at hand. */
  stopTraining = false;
  readonly #seed: number;
  readonly #engine: Engine;
  #state: TrainingState;
  #compiled: (CompileOptions & { train: Program; evaluate: Program }) | undefined;
  #predict: Program | undefined;
  #compileCount = 0;
  #isTraining = false;

  constructor(architecture: Architecture, { name = 'sequential', seed = 0, threads }: SequentialOptions) {
    this.name = name;
    this.architecture = architecture;
    this.#seed = seed;
    this.#engine = createEngine({ threads });
    this.#state = { weights: initialWeights(this.architecture, seed), slots: [], iteration: 0 };
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

  get loss(): Loss | undefined {
    return this.#compiled?.loss;
  }

  /** Sets how the model is trained, and forgets what an optimizer remembered. */
  compile({ optimizer, loss }: CompileOptions): void {
    if (this.#isTraining) throw new Error(`compile() while fit() is running on ${this.name}: await it first`);
    const { outputShape, parameterCount } = this.architecture;
    if (outputShape.length !== 2) {
      throw new ShapeError(
        `${loss.name} needs outputs [N, classes], got [${outputShape.join(', ')}]: add flatten()`,
      );
    }
    if (parameterCount === 0)
      throw new ShapeError(`${this.name} has no parameters to train: add conv2d() or dense()`);
    this.#compileCount += 1;
    const program = (kind: string, bytes: Uint8Array) => ({ id: `${kind} ${this.#compileCount}`, bytes });
    this.#compiled = {
      optimizer,
      loss,
      train: program('train', trainProgram(this.architecture, loss, optimizer, this.#seed)),
      evaluate: program('evaluate', evaluateProgram(this.architecture, loss)),
    };
    const slots = optimizer.slots.map(() => new Float32Array(parameterCount));
    this.#state = { weights: this.weights, slots, iteration: 0 };
  }

  /** Trains on x [count, ...] and class numbers or values y, as the loss needs them, in another thread. */
  async fit(x: Tensor, y: Targets, options: FitOptions = {}): Promise<History> {
    if (this.#isTraining) throw new Error(`fit() is already running on ${this.name}: await it first`);
    this.#isTraining = true;
    try {
      return await this.#fit(x, y, options);
    } finally {
      this.#isTraining = false;
    }
  }

  async #fit(x: Tensor, y: Targets, options: FitOptions): Promise<History> {
    const { epochs = 1, batchSize = 32, shuffle = true, callbacks = [], signal } = options;
    const { optimizer, loss, train, evaluate } = this.#requireCompiled('fit');
    const [examples, held] = this.#splitValidation(
      checkExamples(this.architecture, x, y, loss, 'fit'),
      loss,
      options,
    );
    const validation = held && { program: evaluate, examples: held };
    checkCount('epochs', epochs);
    checkCount('batchSize', batchSize);
    const recorder = historyRecorder();
    const all = [recorder, ...callbacks];
    this.stopTraining = false;
    const info = { epochs, examples: examples.x.shape[0]!, batchSize };
    for (const callback of all) callback.onTrainBegin?.(info, this);
    this.#state = await this.#engine.train(
      {
        program: train,
        slots: optimizer.slots,
        state: this.#state,
        examples,
        validation,
        epochs,
        batchSize,
        shuffle,
        seed: this.#seed,
        learningRate: optimizer.learningRate,
      },
      {
        onBatch: (logs) => {
          for (const callback of all) callback.onBatchEnd?.(logs);
        },
        onEpoch: async (epoch, logs, state) => {
          this.#state = state;
          for (const callback of all) await callback.onEpochEnd?.(epoch, logs);
          return !this.stopTraining;
        },
      },
      signal,
    );
    for (const callback of all) callback.onTrainEnd?.();
    return recorder.history;
  }

  #splitValidation(
    examples: Examples,
    loss: Loss,
    { validationData, validationSplit = 0 }: FitOptions,
  ): [training: Examples, validation?: Examples] {
    if (validationData) {
      return [examples, checkExamples(this.architecture, ...validationData, loss, 'fit (validationData)')];
    }
    return validationSplit === 0 ? [examples] : splitExamples(examples, validationSplit);
  }

  /** The mean loss and the share of right answers on examples that the model need not have seen. */
  async evaluate(
    x: Tensor,
    y: Targets,
    { batchSize = 32 }: { batchSize?: number } = {},
  ): Promise<{ loss: number; accuracy: number }> {
    const { evaluate, loss } = this.#requireCompiled('evaluate');
    const examples = checkExamples(this.architecture, x, y, loss, 'evaluate');
    checkCount('batchSize', batchSize);
    return this.#engine.evaluate({ program: evaluate, weights: this.weights, examples, batchSize });
  }

  /** The outputs [count, ...] for inputs x [count, ...]. */
  async predict(x: Tensor, { batchSize = 32 }: { batchSize?: number } = {}): Promise<Tensor> {
    checkInput(this.architecture, x, 'predict');
    checkCount('batchSize', batchSize);
    this.#predict ??= { id: 'predict', bytes: predictProgram(this.architecture) };
    return this.#engine.predict({ program: this.#predict, weights: this.weights, x, batchSize });
  }

  /** The layers with their output shapes and parameter counts, as a table. */
  summary(): string {
    return summarize(this.name, this.architecture);
  }

  /** Ends a training after the batch at hand, and the model's thread. The model can be used again; a new thread starts then. */
  close(): Promise<void> {
    return this.#engine.close();
  }

  #requireCompiled(method: string) {
    if (this.#compiled) return this.#compiled;
    throw new Error(`${method}() needs a compiled model: call compile({ optimizer, loss }) first`);
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

function checkCount(name: string, value: number): void {
  if (!Number.isInteger(value) || value < 1)
    throw new RangeError(`${name} must be a whole number above 0, got ${value}`);
}
