/** The ONNX graphs that a model is run by: a training step, an evaluation step and a prediction. */
import type { Architecture, PlacedLayer } from './architecture.ts';
import { gradients } from './autodiff.ts';
import { Graph, type Value } from './graph.ts';
import type { Loss } from './losses/loss.ts';
import { type GraphContext, inference, lower } from './lower.ts';
import { add } from './ops/arithmetic.ts';
import { penalty } from './ops/penalty.ts';
import type { Optimizer } from './optimizers/optimizer.ts';
import * as onnx from './primitives.ts';

/** The training step: images `x` [N, ...], targets `y` [N] or [N, K], `weights` [P], the optimizer's slots [P], `iteration`
 * and `learning_rate`, to `next_...` of the state, the batch's mean `loss` and its count of `correct` answers. */
export function trainProgram(
  model: Architecture,
  loss: Loss,
  optimizer: Optimizer,
  seed: number,
): Uint8Array {
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
  const targets = targetsInput(graph, loss, outputs);
  const lossValue = addAll([loss.build(outputs, targets), ...penalties]);
  for (const leaf of leaves) if (!trainable.includes(leaf) && !assigned.has(leaf)) assigned.set(leaf, leaf);
  const found = gradients(lossValue, trainable);
  const parts = leaves.map((leaf) => {
    const gradient = found[trainable.indexOf(leaf)] ?? zeros(leaf);
    return onnx.reshape(gradient, [leafSize(leaf)]);
  });
  const slots = optimizer.slots.map((name) => graph.input(name, 'float32', [model.parameterCount]));
  const next = optimizer.update({
    weights,
    gradient: onnx.concat(parts, 0),
    slots,
    iteration: graph.input('iteration', 'float32', []),
    learningRate: graph.input('learning_rate', 'float32', []),
  });
  graph.output('next_weights', replaceAssigned(next.weights, leaves, assigned));
  optimizer.slots.forEach((name, index) => {
    graph.output(`next_${name}`, next.slots[index]!);
  });
  graph.output('loss', lossValue);
  graph.output('correct', countCorrect(loss, outputs, targets));
  return graph.toModel();
}

/** The flat weights with the values that layers set themselves in their places. */
function replaceAssigned(weights: Value, leaves: Value[], assigned: Map<Value, Value>): Value {
  if (assigned.size === 0) return weights;
  let offset = 0;
  const parts = leaves.map((leaf) => {
    const start = offset;
    offset += leafSize(leaf);
    const next = assigned.get(leaf);
    return next ? onnx.reshape(next, [leafSize(leaf)]) : onnx.slice(weights, 0, start, offset);
  });
  return onnx.concat(parts, 0);
}

const zeros = (leaf: Value): Value =>
  leaf.graph.constant(new Array<number>(leafSize(leaf)).fill(0), [leafSize(leaf)]);

/** The evaluation step: `x`, `y` and `weights` to the batch's mean `loss` and its count of `correct` answers. */
export function evaluateProgram(model: Architecture, loss: Loss): Uint8Array {
  const graph = new Graph();
  const penalties: Value[] = [];
  const { outputs } = buildForward(graph, model, {
    ...inference,
    addLoss: (term) => penalties.push(term),
  });
  const targets = targetsInput(graph, loss, outputs);
  graph.output('loss', addAll([loss.build(outputs, targets), ...penalties]));
  graph.output('correct', countCorrect(loss, outputs, targets));
  return graph.toModel();
}

/** The prediction: `x` (and `x_1`, … of a model with several inputs) and `weights` to `output` [N, ...] (and
 * `output_1`, …). */
export function predictProgram(model: Architecture): Uint8Array {
  const graph = new Graph();
  buildForward(graph, model, inference).all.forEach((output, index) => {
    graph.output(index === 0 ? 'output' : `output_${index}`, output);
  });
  return graph.toModel();
}

/** The parameters as views of one flat vector, `leaves` in its order, and the model's outputs. */
function buildForward(graph: Graph, model: Architecture, context: GraphContext) {
  const inputs = model.inputs.map(({ input: { dtype, shape } }, index) =>
    graph.input(index === 0 ? 'x' : `x_${index}`, dtype, ['N', ...shape]),
  );
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

function targetsInput(graph: Graph, { targets }: Loss, outputs: Value): Value {
  if (targets === 'values') return graph.input('y', 'float32', outputs.shape);
  return onnx.cast(graph.input('y', 'int32', ['N']), 'int64');
}

/** Of several outputs the largest is the answer; a single one answers yes from one half on (logits: from 0). */
function countCorrect({ targets: kind, fromLogits }: Loss, outputs: Value, targets: Value): Value {
  const { graph } = outputs;
  const isRight = (a: Value, b: Value) => onnx.reduceSum(onnx.mask(onnx.equal(a, b)), 0);
  if (kind === 'classes') return isRight(onnx.argMax(outputs, 1), targets);
  if (outputs.shape[1] !== 1) return isRight(onnx.argMax(outputs, 1), onnx.argMax(targets, 1));
  const answer = onnx.mask(onnx.greater(outputs, graph.constant(fromLogits ? 0 : 0.5)));
  return isRight(onnx.reshape(answer, ['N']), onnx.reshape(targets, ['N']));
}
