/** One function an ONNX operator in use, with its shape inference. Not differentiable: `ops/` builds on these.
 * The operators are those of https://onnx.ai/onnx/operators/ at opset 17. */
import type { Attributes, Graph, Value } from './graph.ts';
import {
  broadcast,
  type Dim,
  dimOf,
  formatShape,
  type Shape,
  ShapeError,
  sameShape,
  sizeOf,
} from './shape.ts';
import { type DType, onnxDType } from './tensor.ts';

const elementwise = (opType: string, inputs: Value[], dtype: DType = inputs[0]!.dtype): Value =>
  inputs[0]!.graph.node(opType, inputs, {
    dtype,
    shape: inputs.map((input) => input.shape).reduce(broadcast),
  });

export const add = (a: Value, b: Value): Value => elementwise('Add', [a, b]);
export const sub = (a: Value, b: Value): Value => elementwise('Sub', [a, b]);
export const mul = (a: Value, b: Value): Value => elementwise('Mul', [a, b]);
export const div = (a: Value, b: Value): Value => elementwise('Div', [a, b]);
export const pow = (a: Value, b: Value): Value => elementwise('Pow', [a, b]);
export const max = (a: Value, b: Value): Value => elementwise('Max', [a, b]);
export const min = (a: Value, b: Value): Value => elementwise('Min', [a, b]);
export const sum = (values: Value[]): Value =>
  values.length === 1 ? values[0]! : elementwise('Sum', values);
export const relu = (x: Value): Value => elementwise('Relu', [x]);
export const sqrt = (x: Value): Value => elementwise('Sqrt', [x]);
export const exp = (x: Value): Value => elementwise('Exp', [x]);
export const log = (x: Value): Value => elementwise('Log', [x]);
export const neg = (x: Value): Value => elementwise('Neg', [x]);
export const abs = (x: Value): Value => elementwise('Abs', [x]);
/** -1, 0 or 1. */
export const sign = (x: Value): Value => elementwise('Sign', [x]);
export const sigmoid = (x: Value): Value => elementwise('Sigmoid', [x]);
export const tanh = (x: Value): Value => elementwise('Tanh', [x]);
export const softplus = (x: Value): Value => elementwise('Softplus', [x]);
/** The error function; onnxruntime has it for float32 only. */
export const erf = (x: Value): Value => elementwise('Erf', [x]);
export const equal = (a: Value, b: Value): Value => elementwise('Equal', [a, b], 'bool');
export const greater = (a: Value, b: Value): Value => elementwise('Greater', [a, b], 'bool');
export const greaterOrEqual = (a: Value, b: Value): Value => elementwise('GreaterOrEqual', [a, b], 'bool');

export const leakyRelu = (x: Value, alpha: number): Value => x.graph.node('LeakyRelu', [x], x, { alpha });
export const elu = (x: Value, alpha: number): Value => x.graph.node('Elu', [x], x, { alpha });

export function cast(x: Value, dtype: DType): Value {
  if (x.dtype === dtype) return x;
  return x.graph.node('Cast', [x], { dtype, shape: x.shape }, { to: onnxDType[dtype] });
}

/** A comparison as 0 or 1 in the graph's float type: masks multiply faster than `Where` selects. */
export const mask = (condition: Value): Value => cast(condition, condition.graph.float);

/** a [..., M, K] by b [K, O]: one GEMM, since onnxruntime folds the leading axes into M. */
export function matMul(a: Value, b: Value): Value {
  const inner = a.shape.at(-1);
  if (b.shape.length !== 2 || inner !== b.shape[0]) {
    throw new ShapeError(
      `MatMul needs [..., K] and [K, O], got ${formatShape(a.shape)} and ${formatShape(b.shape)}`,
    );
  }
  return a.graph.node('MatMul', [a, b], { dtype: a.dtype, shape: [...a.shape.slice(0, -1), b.shape[1]!] });
}

/** a [..., M, K] by b [..., K, O] with the same leading axes: a product for each of them. */
export function batchMatMul(a: Value, b: Value): Value {
  const leading = a.shape.slice(0, -2);
  if (!sameShape(leading, b.shape.slice(0, -2)) || a.shape.at(-1) !== b.shape.at(-2)) {
    throw new ShapeError(
      `MatMul needs [..., M, K] and [..., K, O], got ${formatShape(a.shape)} and ${formatShape(b.shape)}`,
    );
  }
  const shape = [...leading, a.shape.at(-2)!, b.shape.at(-1)!];
  return a.graph.node('MatMul', [a, b], { dtype: a.dtype, shape });
}

/** a [M, K] by b [K, O] plus an optional c, each factor transposed first where asked. */
export function gemm(
  a: Value,
  b: Value,
  { transA = false, transB = false, c }: { transA?: boolean; transB?: boolean; c?: Value } = {},
): Value {
  const [rows, innerA] = transA ? [a.shape[1], a.shape[0]] : [a.shape[0], a.shape[1]];
  const [innerB, columns] = transB ? [b.shape[1], b.shape[0]] : [b.shape[0], b.shape[1]];
  if (a.shape.length !== 2 || b.shape.length !== 2 || innerA !== innerB) {
    throw new ShapeError(
      `Gemm needs [M, K] and [K, O], got ${formatShape(a.shape)} and ${formatShape(b.shape)}`,
    );
  }
  const attributes: Attributes = { ...(transA && { transA: 1 }), ...(transB && { transB: 1 }) };
  const inputs = c ? [a, b, c] : [a, b];
  return a.graph.node('Gemm', inputs, { dtype: a.dtype, shape: [rows!, columns!] }, attributes);
}

export function reshape(x: Value, shape: Shape): Value {
  const from = sizeOf(x.shape);
  const to = sizeOf(shape);
  if (from.coefficient !== to.coefficient || from.power !== to.power) {
    throw new ShapeError(`${formatShape(x.shape)} cannot be reshaped to ${formatShape(shape)}`);
  }
  const target = x.graph.integers(shape.map((dim) => (typeof dim === 'number' ? dim : -1)));
  return x.graph.node('Reshape', [x, target], { dtype: x.dtype, shape });
}

/** Reshape to a shape whose N stands for another number than that of x. The one open dimension follows from the rest. */
export function relabel(x: Value, shape: Shape): Value {
  const target = x.graph.integers(shape.map((dim) => (typeof dim === 'number' ? dim : -1)));
  return x.graph.node('Reshape', [x, target], { dtype: x.dtype, shape });
}

/** All but the last axis folded into one. */
export function toRows(x: Value): Value {
  if (x.shape.length === 2) return x;
  return reshape(x, [dimOf(sizeOf(x.shape.slice(0, -1))), x.shape.at(-1)!]);
}

/** Swaps axes; a transpose that undoes the one before it leaves no node. */
export function transpose(x: Value, perm: number[]): Value {
  const before = x.graph.producer(x);
  if (before?.opType === 'Transpose') {
    const first = before.attributes.perm as number[];
    if (perm.every((axis, position) => first[axis] === position)) return before.inputs[0]!;
  }
  const shape = perm.map((axis) => x.shape[axis]!);
  return x.graph.node('Transpose', [x], { dtype: x.dtype, shape }, { perm });
}

/** Picks constant positions along an axis; `indices` of rank r put r axes in that one's place. */
export function gather(x: Value, indices: readonly number[], indicesShape: number[], axis: number): Value {
  const table = x.graph.initializer({ dtype: 'int32', shape: indicesShape, data: Int32Array.from(indices) });
  const shape = [...x.shape.slice(0, axis), ...indicesShape, ...x.shape.slice(axis + 1)];
  return x.graph.node('Gather', [x, table], { dtype: x.dtype, shape }, { axis });
}

/** Rows of x [P, C] at the positions that `indices` (integers, any shape) hold: [...indices, C]. */
export const gatherRows = (x: Value, indices: Value): Value =>
  x.graph.node(
    'Gather',
    [x, indices],
    { dtype: x.dtype, shape: [...indices.shape, x.shape[1]!] },
    { axis: 0 },
  );

/** Adds rows [R, C] to x [P, C] at the positions that `indices` [R, C] hold, in order, so that the sums are the same
 * each time. */
export const scatterAddRows = (x: Value, indices: Value, rows: Value): Value =>
  x.graph.node('ScatterElements', [x, indices, rows], x, { axis: 0, reduction: 'add' });

/** Adds zeros before and after along one axis; a negative count crops. */
export function pad(x: Value, axis: number, before: number, after: number): Value {
  if (before === 0 && after === 0) return x;
  const pads = new Array<number>(x.shape.length * 2).fill(0);
  pads[axis] = before;
  pads[axis + x.shape.length] = after;
  const shape = x.shape.with(axis, fixed(x, axis) + before + after);
  const y = x.graph.node('Pad', [x, x.graph.integers(pads)], { dtype: x.dtype, shape });
  if (before >= 0 && after >= 0) paddings.set(y, { content: x, axis, before });
  return y;
}

/** What a value was padded from, where `pad` made it by adding zeros. */
export const padded = (y: Value): { content: Value; axis: number; before: number } | undefined =>
  paddings.get(y);

const paddings = new WeakMap<Value, { content: Value; axis: number; before: number }>();

export function slice(x: Value, axis: number, start: number, end: number): Value {
  const { graph } = x;
  const inputs = [x, graph.integers([start]), graph.integers([end]), graph.integers([axis])];
  return graph.node('Slice', inputs, { dtype: x.dtype, shape: x.shape.with(axis, end - start) });
}

export function concat(values: Value[], axis: number): Value {
  const first = values[0]!;
  if (values.length === 1) return first;
  const length = values.reduce((total, value) => total + fixed(value, axis), 0);
  return first.graph.node(
    'Concat',
    values,
    { dtype: first.dtype, shape: first.shape.with(axis, length) },
    { axis },
  );
}

export function reduceSum(x: Value, axis: number, { keepDims = false } = {}): Value {
  const inputs = [x, x.graph.integers([axis])];
  const shape = reduced(x.shape, axis, keepDims);
  return x.graph.node('ReduceSum', inputs, { dtype: x.dtype, shape }, { keepdims: keepDims ? 1 : 0 });
}

export function reduceMax(x: Value, axis: number, { keepDims = false } = {}): Value {
  const shape = reduced(x.shape, axis, keepDims);
  const attributes = { axes: [axis], keepdims: keepDims ? 1 : 0 };
  return x.graph.node('ReduceMax', [x], { dtype: x.dtype, shape }, attributes);
}

export function argMax(x: Value, axis: number): Value {
  const shape = reduced(x.shape, axis, false);
  return x.graph.node('ArgMax', [x], { dtype: 'int64', shape }, { axis, keepdims: 0 });
}

export const softmax = (x: Value): Value =>
  x.graph.node('Softmax', [x], { dtype: x.dtype, shape: x.shape }, { axis: -1 });

export const logSoftmax = (x: Value): Value =>
  x.graph.node('LogSoftmax', [x], { dtype: x.dtype, shape: x.shape }, { axis: -1 });

/** The length of axis 0 when the graph runs, as a scalar in the graph's float type. */
export function batchSize(x: Value): Value {
  const { graph } = x;
  const attributes = { start: 0, end: 1 };
  const size = graph.node('Shape', [x], { dtype: 'int64', shape: [1] }, attributes);
  const scalar = graph.node('Reshape', [size, graph.integers([], [0])], { dtype: 'int64', shape: [] });
  return cast(scalar, graph.float);
}

/** Uniform numbers in [0, 1) of the shape of `x`, fixed by the seed and the step. They come in from outside: ONNX's own
 * generators go on from run to run, so that a training could not be taken up again where it was cut. */
export const randomUniformLike = (x: Value, seed: number): Value =>
  cast(x.graph.random('uniform', x.shape, seed), x.graph.float);

/** The same of the standard normal distribution. */
export const randomNormalLike = (x: Value, seed: number): Value =>
  cast(x.graph.random('normal', x.shape, seed), x.graph.float);

/** ONNX's own convolution, [N, C, H, W] by [O, C, kH, kW]. `shape` is the output's. */
export function conv(
  x: Value,
  kernel: Value,
  bias: Value | undefined,
  shape: Shape,
  attributes: Attributes,
): Value {
  const inputs = bias ? [x, kernel, bias] : [x, kernel];
  return x.graph.node('Conv', inputs, { dtype: x.dtype, shape }, attributes);
}

/** ONNX's own transposed convolution, [N, C, H, W] by [C, O, kH, kW]. `shape` is the output's. */
export function convTranspose(
  x: Value,
  kernel: Value,
  bias: Value | undefined,
  shape: Shape,
  attributes: Attributes,
): Value {
  const inputs = bias ? [x, kernel, bias] : [x, kernel];
  return x.graph.node('ConvTranspose', inputs, { dtype: x.dtype, shape }, attributes);
}

/** ONNX's own max pooling over [N, C, H, W]. */
export const maxPool = (x: Value, shape: Shape, attributes: Attributes): Value =>
  x.graph.node('MaxPool', [x], { dtype: x.dtype, shape }, attributes);

/** ONNX's own average pooling over [N, C, H, W]; padding does not count. */
export const averagePool = (x: Value, shape: Shape, attributes: Attributes): Value =>
  x.graph.node('AveragePool', [x], { dtype: x.dtype, shape }, attributes);

/** The mean of each channel of [N, C, H, W]: [N, C, 1, 1]. */
export const globalAveragePool = (x: Value): Value =>
  x.graph.node('GlobalAveragePool', [x], { dtype: x.dtype, shape: [x.shape[0]!, x.shape[1]!, 1, 1] });

/** The largest of each channel of [N, C, H, W]: [N, C, 1, 1]. */
export const globalMaxPool = (x: Value): Value =>
  x.graph.node('GlobalMaxPool', [x], { dtype: x.dtype, shape: [x.shape[0]!, x.shape[1]!, 1, 1] });

/** ONNX's own normalization over the last axis; gain and offset [C]. */
export function layerNormalization(x: Value, gain: Value, offset: Value | undefined, epsilon: number): Value {
  const inputs = offset ? [x, gain, offset] : [x, gain];
  return x.graph.node('LayerNormalization', inputs, x, { axis: -1, epsilon });
}

/** ONNX's own normalization of axis 1 by given statistics: gain, offset, mean and variance [C]. */
export const batchNormalization = (x: Value, statistics: Value[], epsilon: number): Value =>
  x.graph.node('BatchNormalization', [x, ...statistics], x, { epsilon });

/** ONNX's loop over axis 0 (https://onnx.ai/onnx/operators/onnx__Scan.html): the body goes from states and a row of each
 * scanned value to the next states and a row of each result. Directions are 1 for what is read or written last row first.
 * Gives the last states, then the results [steps, ...row]. */
export function scan(
  body: Graph,
  { initial, scanned }: { initial: readonly Value[]; scanned: readonly Value[] },
  rows: readonly Value[],
  directions: { inputs: number[]; outputs: number[] },
): Value[] {
  const [first] = scanned as [Value];
  const results = rows.map(({ dtype, shape }) => ({ dtype, shape: [first.shape[0]!, ...shape] }));
  const outputs = first.graph.nodeOfMany('Scan', [...initial, ...scanned], [...initial, ...results], {
    body,
    num_scan_inputs: scanned.length,
    scan_input_directions: directions.inputs,
    scan_output_directions: directions.outputs,
  });
  // Each of them was asked for.
  return outputs as Value[];
}

/** Zeros of a shape without an open dimension, which take no room in the file. */
export function zeros(graph: Graph, shape: Shape): Value {
  const size = graph.integers(shape as number[]);
  return cast(graph.node('ConstantOfShape', [size], { dtype: 'float32', shape }), graph.float);
}

/** ONNX's own recurrent operators, over [T, N, C]: the outputs [T, 1, N, U], or the last of them [1, N, U]. */
export function recurrent(
  opType: 'LSTM' | 'GRU' | 'RNN',
  [x, ...weights]: [Value, ...Value[]],
  { units, isSequence }: { units: number; isSequence: boolean },
  attributes: Attributes,
): Value {
  const [steps, batch] = x.shape;
  const shape = isSequence ? [steps!, 1, batch!, units] : [1, batch!, units];
  const all = { ...attributes, hidden_size: units };
  return x.graph.node(opType, [x, ...weights], { dtype: x.dtype, shape }, all, isSequence ? 0 : 1);
}

/** A dimension that must be known while the graph is built. */
function fixed(x: Value, axis: number): number {
  const dim = x.shape[axis];
  if (typeof dim !== 'number')
    throw new ShapeError(`Axis ${axis} of ${formatShape(x.shape)} has no fixed length`);
  return dim;
}

const reduced = (shape: Shape, axis: number, keepDims: boolean): Dim[] =>
  shape.flatMap((dim, index) => (index !== axis ? [dim] : keepDims ? [1] : []));
