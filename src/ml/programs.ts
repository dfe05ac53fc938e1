/** The ONNX graphs that a model is run by: a training step, an evaluation step and a prediction. */
import type { Architecture } from './architecture.ts';
import { gradientsWhereAny } from './autodiff.ts';
import { type BatchParts, joinParts, partOf } from './batch-parts.ts';
import { Graph, type Value } from './graph.ts';
import { startsOf, type Term, targetWidth } from './losses/objective.ts';
import { type GraphContext, inference, lower } from './lower.ts';
import { modelInputs } from './model-inputs.ts';
import { add } from './ops/arithmetic.ts';
import { scale } from './ops/scale.ts';
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
 * model's `output`. Of several terms, `y` and `output` have all their numbers in each row, `sample_weight` is [N, terms],
 * and `losses` [terms] are given too. Cut into parts, it takes batches of their rows alone, and gives the same but for
 * rounding. */
export function trainProgram(
  model: Architecture,
  terms: readonly Term[],
  optimizer: Optimizer,
  seed: number,
  parts?: BatchParts,
): ProgramFile {
  const graph = new Graph();
  const assigned = new Map<Value, Value>();
  const { inputs, weights, leaves, trainable, penalties, parametersOf } = modelInputs(graph, model);
  const context: GraphContext = {
    isTraining: true,
    seed,
    random: (like, distribution, seed) =>
      distribution === 'uniform' ? onnx.randomUniformLike(like, seed) : onnx.randomNormalLike(like, seed),
    assign: (parameter, next) => assigned.set(parameter, next),
    addLoss: (term) => penalties.push(term),
  };
  const cut = (x: Value) =>
    parts ? Array.from({ length: parts.count }, (_, part) => partOf(x, part, parts)) : [x];
  const cutInputs = inputs.map(cut);
  const outputs = cutInputs[0]!.map((_, part) => {
    const x = cutInputs.map((input) => input[part]!);
    const given = lower(model, x, parametersOf, context);
    return terms.map(({ output }) => given[output]!);
  });
  const [targets, sampleWeights] = lossInputs(graph, terms).map(cut);
  const partLosses = outputs.map((output, part) =>
    lossesOf(terms, output, targets![part]!, sampleWeights![part]!),
  );
  const losses = terms.map((_, term) => {
    const each = partLosses.map((part) => part[term]!);
    return parts ? scale(addAll(each), 1 / parts.count, 0) : each[0]!;
  });
  const lossValue = addAll([weightedSum(terms, losses), ...penalties]);
  const found = gradientsWhereAny(lossValue, trainable);
  const slots = optimizer.slots.map((name) => graph.input(name, 'float32', [model.parameterCount]));
  const anchor = optimizer.proximal && slots[optimizer.slots.indexOf(anchorSlot)];
  let end = 0;
  const flatGradients = leaves.map((leaf) => {
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
    gradients: flatGradients,
    slots,
    iteration: graph.input('iteration', 'float32', []),
    learningRate: graph.input('learning_rate', 'float32', []),
  });
  const isFrozen = (leaf: Value) => !trainable.includes(leaf);
  graph.output('next_weights', replaceAssigned(next.weights, leaves, isFrozen, assigned));
  optimizer.slots.forEach((name, index) => {
    graph.output(`next_${name}`, next.slots[index]!);
  });
  const rows = outputs.map((output) => packRows(output));
  outputLosses(graph, lossValue, losses);
  graph.output('output', parts ? joinParts(rows, parts) : rows[0]!);
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

/** The evaluation step: `x`, `y`, `sample_weight` and `weights` to the batch's mean `loss` (and `losses`) and the
 * `output`. */
export function evaluateProgram(model: Architecture, terms: readonly Term[]): Uint8Array {
  const graph = new Graph();
  const { inputs, penalties, parametersOf } = modelInputs(graph, model);
  const addLoss = (term: Value) => penalties.push(term);
  const given = lower(model, inputs, parametersOf, { ...inference, addLoss });
  const outputs = terms.map(({ output }) => given[output]!);
  const [targets, sampleWeights] = lossInputs(graph, terms);
  const losses = lossesOf(terms, outputs, targets!, sampleWeights!);
  outputLosses(graph, addAll([weightedSum(terms, losses), ...penalties]), losses);
  graph.output('output', packRows(outputs));
  return graph.toModel();
}

/** The prediction: `x` and `weights` to `output` [N, ...]; several inputs and outputs are packed (`packed-inputs.ts`). */
export function predictProgram(model: Architecture): Uint8Array {
  const graph = new Graph();
  const { inputs, parametersOf } = modelInputs(graph, model);
  const outputs = lower(model, inputs, parametersOf, inference);
  graph.output('output', packRows(outputs));
  return graph.toModel();
}

/** A single output as it is; the numbers of several in each row [N, numbers of all]. */
function packRows(outputs: Value[]): Value {
  if (outputs.length === 1) return outputs[0]!;
  const flat = outputs.map((output) => onnx.reshape(output, ['N', staticSize(output.shape.slice(1))]));
  return onnx.concat(flat, 1);
}

const addAll = (terms: Value[]): Value => terms.reduce(add);

const leafSize = ({ shape }: Value): number => shape.reduce<number>((size, dim) => size * (dim as number), 1);

/** The targets and the weights of the examples. */
function lossInputs(graph: Graph, terms: readonly Term[]): [targets: Value, sampleWeights: Value] {
  const [{ loss, width }] = terms as [Term];
  const several = terms.length > 1;
  const targets = several
    ? graph.input('y', 'float32', ['N', terms.reduce((sum, term) => sum + targetWidth(term), 0)])
    : loss.targets === 'values'
      ? graph.input('y', 'float32', ['N', width])
      : graph.input('y', 'int32', ['N']);
  return [targets, graph.input('sample_weight', 'float32', several ? ['N', terms.length] : ['N'])];
}

/** The mean loss of each term. */
function lossesOf(terms: readonly Term[], outputs: Value[], targets: Value, sampleWeights: Value): Value[] {
  const starts = startsOf(terms.map(targetWidth));
  return terms.map((term, index) => {
    const isClasses = term.loss.targets === 'classes';
    if (terms.length === 1)
      return term.loss.build(outputs[0]!, isClasses ? onnx.cast(targets, 'int64') : targets, sampleWeights);
    const own = onnx.slice(targets, 1, starts[index]!, starts[index]! + targetWidth(term));
    const weights = onnx.reshape(onnx.slice(sampleWeights, 1, index, index + 1), ['N']);
    const named = isClasses ? onnx.cast(onnx.reshape(own, ['N']), 'int64') : own;
    return term.loss.build(outputs[index]!, named, weights);
  });
}

const weightedSum = (terms: readonly Term[], losses: Value[]): Value =>
  addAll(
    losses.map((loss, index) => (terms[index]!.weight === 1 ? loss : scale(loss, terms[index]!.weight, 0))),
  );

/** The sum as `loss`, and of several terms each one's own, unweighted, as `losses`. */
function outputLosses(graph: Graph, loss: Value, losses: Value[]): void {
  graph.output('loss', loss);
  if (losses.length === 1) return;
  graph.output(
    'losses',
    onnx.concat(
      losses.map((each) => onnx.reshape(each, [1])),
      0,
    ),
  );
}
