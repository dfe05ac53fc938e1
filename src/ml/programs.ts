/** The ONNX graphs that a model is run by: a training step, an evaluation step and a prediction. */
import type { Architecture, PlacedLayer } from './architecture.ts';
import { gradients } from './autodiff.ts';
import { Graph, type Value } from './graph.ts';
import type { Loss } from './losses/loss.ts';
import { type GraphContext, inference, lower } from './lower.ts';
import { add } from './ops/arithmetic.ts';
import { penalty } from './ops/penalty.ts';
import type { Optimizer } from './optimizers/optimizer.ts';
import { anchorSlot } from './optimizers/proximal.ts';
import { optimizerStep } from './optimizers/step.ts';
import * as onnx from './primitives.ts';
import type { RandomInput } from './random-inputs.ts';
import { staticSize } from './shape.ts';

/** An ONNX file, and those of its inputs that take random numbers. */
export interface ProgramFile {
  bytes: Uint8Array;
  randomInputs: readonly RandomInput[];
}

/** The training step: images `x` [N, ...], targets `y` [N] or [N, K], `sample_weight` [N], `weights` [P], the
 * optimizer's slots [P], `iteration` and `learning_rate`, to `next_...` of the state, the batch's mean `loss` and the
 * model's `output`. */
export function trainProgram(
  model: Architecture,
  loss: Loss,
  optimizer: Optimizer,
  seed: number,
): ProgramFile {
  const graph = new Graph();
  const assigned = new Map<Value, Value>();
  const penalties: Value[] = [];
  const { outputs, weights, leaves, trainable } = buildForward(graph, model, {
    isTraining: true,
    seed,
    random: (like, distribution, seed) =>
      distribution === 'uniform' ? onnx.randomUniformLike(like, seed) : onnx.randomNormalLike(like, seed),
    assign: (parameter, next) => assigned.set(parameter, next),
    addLoss: (term) => penalties.push(term),
  });
  const lossValue = addAll([buildLoss(graph, loss, outputs), ...penalties]);
  const found = gradients(lossValue, trainable);
  const slots = optimizer.slots.map((name) => graph.input(name, 'float32', [model.parameterCount]));
  const anchor = optimizer.proximal && slots[optimizer.slots.indexOf(anchorSlot)];
  let end = 0;
  const parts = leaves.map((leaf) => {
    const start = end;
    end += leafSize(leaf);
    const gradient = found[trainable.indexOf(leaf)] ?? zeros(leaf);
    const flat = onnx.reshape(gradient, [leafSize(leaf)]);
    if (!anchor || !trainable.includes(leaf)) return flat;
    const away = onnx.sub(onnx.slice(weights, 0, start, end), onnx.slice(anchor, 0, start, end));
    return onnx.add(flat, onnx.mul(away, graph.constant(optimizer.proximal!.mu)));
  });
  const next = optimizerStep(optimizer, {
    weights,
    gradients: parts,
    slots,
    iteration: graph.input('iteration', 'float32', []),
    learningRate: graph.input('learning_rate', 'float32', []),
  });
  const isFrozen = (leaf: Value) => !trainable.includes(leaf);
  graph.output('next_weights', replaceAssigned(next.weights, leaves, isFrozen, assigned));
  optimizer.slots.forEach((name, index) => {
    graph.output(`next_${name}`, next.slots[index]!);
  });
  graph.output('loss', lossValue);
  graph.output('output', outputs);
  return { bytes: graph.toModel(), randomInputs: graph.randomInputs };
}

/** The flat weights, but with the values that layers set themselves in their places, and what is not trained as it
 * was: weight decay must not reach it. */
function replaceAssigned(
  weights: Value,
  leaves: Value[],
  isFrozen: (leaf: Value) => boolean,
  assigned: Map<Value, Value>,
): Value {
  if (!leaves.some(isFrozen)) return weights;
  let offset = 0;
  const parts = leaves.map((leaf) => {
    const start = offset;
    offset += leafSize(leaf);
    const next = assigned.get(leaf) ?? (isFrozen(leaf) ? leaf : undefined);
    return next ? onnx.reshape(next, [leafSize(leaf)]) : onnx.slice(weights, 0, start, offset);
  });
  return onnx.concat(parts, 0);
}

const zeros = (leaf: Value): Value =>
  leaf.graph.constant(new Array<number>(leafSize(leaf)).fill(0), [leafSize(leaf)]);

/** The evaluation step: `x`, `y`, `sample_weight` and `weights` to the batch's mean `loss` and the `output`. */
export function evaluateProgram(model: Architecture, loss: Loss): Uint8Array {
  const graph = new Graph();
  const penalties: Value[] = [];
  const { outputs } = buildForward(graph, model, {
    ...inference,
    addLoss: (term) => penalties.push(term),
  });
  graph.output('loss', addAll([buildLoss(graph, loss, outputs), ...penalties]));
  graph.output('output', outputs);
  return graph.toModel();
}

/** The prediction: `x` and `weights` to `output` [N, ...]; several inputs and outputs are packed (`packed-inputs.ts`). */
export function predictProgram(model: Architecture): Uint8Array {
  const graph = new Graph();
  const { all } = buildForward(graph, model, inference);
  const flat = (output: Value) => onnx.reshape(output, ['N', staticSize(output.shape.slice(1))]);
  graph.output('output', all.length === 1 ? all[0]! : onnx.concat(all.map(flat), 1));
  return graph.toModel();
}

/** The model's inputs, of which several come as one `x` [N, numbers of all]. */
function inputsOf(graph: Graph, { input, inputs }: Architecture): Value[] {
  const x = graph.input('x', input.dtype, ['N', ...input.shape]);
  if (inputs.length === 1) return [x];
  let end = 0;
  return inputs.map(({ input: { dtype, shape } }) => {
    const start = end;
    end += staticSize(shape);
    return onnx.cast(onnx.reshape(onnx.slice(x, 1, start, end), ['N', ...shape]), dtype);
  });
}

/** The parameters as views of one flat vector, `leaves` in its order, and the model's outputs. */
function buildForward(graph: Graph, model: Architecture, context: GraphContext) {
  const inputs = inputsOf(graph, model);
  const weights = graph.input('weights', 'float32', [model.parameterCount]);
  const trainable: Value[] = [];
  const leavesOf = new Map<PlacedLayer, Value[]>();
  for (const placed of model.layers) {
    const leaves = placed.parameters.map(({ offset, size, shape, isTrainable = true, regularizer }) => {
      const leaf = onnx.reshape(onnx.slice(weights, 0, offset, offset + size), shape);
      if (isTrainable && placed.layer.trainable) trainable.push(leaf);
      if (regularizer) context.addLoss(penalty(leaf, regularizer));
      return leaf;
    });
    leavesOf.set(placed, leaves);
  }
  const all = lower(model, inputs, (placed) => leavesOf.get(placed)!, context);
  return { outputs: all[0]!, all, weights, leaves: [...leavesOf.values()].flat(), trainable };
}

const addAll = (terms: Value[]): Value => terms.reduce(add);

const leafSize = ({ shape }: Value): number => shape.reduce<number>((size, dim) => size * (dim as number), 1);

function buildLoss(graph: Graph, loss: Loss, outputs: Value): Value {
  const targets =
    loss.targets === 'values'
      ? graph.input('y', 'float32', outputs.shape)
      : onnx.cast(graph.input('y', 'int32', ['N']), 'int64');
  return loss.build(outputs, targets, graph.input('sample_weight', 'float32', ['N']));
}
