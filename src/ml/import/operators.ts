import type { Value } from '../graph.ts';
import * as activation from '../ops/activations.ts';
import { add, divide, larger, multiply, smaller, subtract } from '../ops/arithmetic.ts';
import { batchMatMul } from '../ops/batch-mat-mul.ts';
import { addBias } from '../ops/bias.ts';
import { multiplyGain } from '../ops/gain.ts';
import { linear } from '../ops/linear.ts';
import { reshape } from '../ops/reshape.ts';
import { standardize } from '../ops/standardize.ts';
import * as onnx from '../primitives.ts';
import { type Call, type Datum, fixed, fromEnd, integers, isConstant } from './datum.ts';
import * as elementwise from './elementwise.ts';
import type { Constant } from './read-tensor.ts';
import { recurrentOperator } from './recurrent-operators.ts';
import { arithmeticOnConstants, shapeOperators } from './shape-operators.ts';
import { sumOver, transpose } from './structure.ts';
import { averagePoolOperator, convOperator, maxPoolOperator } from './window-operators.ts';

/** The outputs; one that nothing takes may be left out. */
export type Operator = (call: Call) => Datum | (Datum | undefined)[];

const unary =
  (op: (x: Value) => Value): Operator =>
  (call) =>
    op(call.tensor(0));

/** Constants stay constants, so that computed shapes are known. */
const binary =
  (type: keyof typeof arithmeticOnConstants, op: (a: Value, b: Value) => Value): Operator =>
  (call) => {
    const [a, b] = [call.datum(0), call.datum(1)];
    if (isConstant(a) && isConstant(b)) return arithmeticOnConstants[type](a, b);
    return op(call.tensor(0), call.tensor(1));
  };

const folded =
  (op: (a: Value, b: Value) => Value): Operator =>
  (call) =>
    call.tensors().reduce(op);

const passed: Operator = (call) => call.datum(0);

/** ONNX's operators that can be trained through, each built of ops that have a gradient
 * (https://onnx.ai/onnx/operators/). A new one joins with a line. */
export const operators: Readonly<Record<string, Operator>> = {
  ...shapeOperators,
  Abs: unary(elementwise.abs),
  Add: binary('Add', add),
  AveragePool: averagePoolOperator,
  BatchNormalization: normalizeBatch,
  Cast: castToFloat,
  Clip: clip,
  Constant: constant,
  Conv: convOperator,
  Div: binary('Div', divide),
  Dropout: passed,
  Elu: (call) => activation.elu(call.tensor(0), call.number('alpha', 1)),
  Erf: unary(elementwise.erf),
  Exp: unary(elementwise.exp),
  GRU: recurrentOperator,
  Gemm: gemm,
  GlobalAveragePool: (call) => mean(call.tensor(0), [2, 3].slice(0, call.tensor(0).shape.length - 2)),
  // Its gradient is 0 wherever it has one.
  Greater: (call) => onnx.greater(call.tensor(0), call.tensor(1)),
  HardSigmoid: (call) =>
    elementwise.hardSigmoid(call.tensor(0), call.number('alpha', 0.2), call.number('beta', 0.5)),
  HardSwish: unary((x) => multiply(x, elementwise.hardSigmoid(x, 1 / 6, 0.5))),
  Identity: passed,
  LSTM: recurrentOperator,
  LayerNormalization: normalizeLayer,
  LeakyRelu: (call) => activation.leakyRelu(call.tensor(0), call.number('alpha', 0.01)),
  Log: unary(elementwise.log),
  MatMul: matMul,
  Max: folded(larger),
  MaxPool: maxPoolOperator,
  Min: folded(smaller),
  Mul: binary('Mul', multiply),
  Neg: unary(elementwise.neg),
  PRelu: (call) => slopeBelowZero(call.tensor(0), call.tensor(1)),
  Pow: (call) => elementwise.power(call.tensor(0), single(call, 1)),
  RNN: recurrentOperator,
  ReduceMean: (call) => reduce(call, mean),
  ReduceSum: (call) => reduce(call, sumOver),
  Relu: unary(activation.relu),
  Sigmoid: unary(activation.sigmoid),
  Softmax: softmax,
  Softplus: unary(activation.softplus),
  Sqrt: unary(elementwise.sqrt),
  Sub: binary('Sub', subtract),
  Sum: folded(add),
  Tanh: unary(activation.tanh),
};

function constant(call: Call): Constant {
  const value = call.attribute('value');
  if (value && typeof value === 'object' && !Array.isArray(value)) return value;
  const float = call.attribute('value_float');
  if (typeof float === 'number') return { isFloat: true, shape: [], numbers: [float] };
  const whole = call.attribute('value_int');
  if (typeof whole === 'number') return integers([whole], []);
  const list = call.list('value_ints');
  if (list) return integers(list);
  const floats = call.list('value_floats');
  if (floats) return { isFloat: true, shape: [floats.length], numbers: floats };
  throw new Error('its value is of a kind that is not supported');
}

function castToFloat(call: Call): Datum {
  const datum = call.datum(0);
  const [float32, float64] = [1, 11];
  const isFloat = [float32, float64].includes(call.number('to', 0));
  if (isConstant(datum)) return { ...datum, isFloat };
  if (isFloat) return onnx.cast(datum, datum.dtype === 'bool' ? datum.graph.float : datum.dtype);
  throw new Error(`a cast to element type ${call.number('to', 0)} has no gradient`);
}

function single(call: Call, index: number): number {
  const numbers = call.numbers(index);
  if (numbers.length === 1) return numbers[0]!;
  throw new Error(`input ${index} must be one number`);
}

/** Bounds were attributes until opset 11. */
function clip(call: Call): Value {
  const least = call.has(1) ? single(call, 1) : call.number('min', -Infinity);
  const most = call.has(2) ? single(call, 2) : call.number('max', Infinity);
  return elementwise.clip(call.tensor(0), least, most);
}

function slopeBelowZero(x: Value, slope: Value): Value {
  const below = smaller(x, x.graph.constant(0));
  return add(activation.relu(x), multiply(below, slope));
}

function gemm(call: Call): Value {
  const [a, b] = [call.tensor(0), call.tensor(1)];
  const left = call.number('transA', 0) ? transpose(a, [1, 0]) : a;
  const right = call.number('transB', 0) ? transpose(b, [1, 0]) : b;
  const scaled = (value: Value, factor: number) =>
    factor === 1 ? value : multiply(value, value.graph.constant(factor));
  const product = scaled(linear(left, right), call.number('alpha', 1));
  return call.has(2) ? add(product, scaled(call.tensor(2), call.number('beta', 1))) : product;
}

/** Rows of any number of leading axes, by a matrix, or by a matrix for each place on the same leading axes. */
function matMul(call: Call): Value {
  const [a, b] = [call.tensor(0), call.tensor(1)];
  if (b.shape.length > 2 && b.shape.length === a.shape.length) return batchMatMul(a, b);
  if (b.shape.length !== 2)
    throw new Error('the second factor must be a matrix, or have the leading axes of the first');
  if (a.shape.length === 2) return linear(a, b);
  return reshape(linear(reshape(a, onnx.toRows(a).shape), b), [...a.shape.slice(0, -1), b.shape[1]!]);
}

function mean(x: Value, axes: readonly number[]): Value {
  const count = axes.reduce((product, axis) => product * fixed(x.shape[axis]!), 1);
  return multiply(sumOver(x, axes), x.graph.constant(1 / count));
}

function reduce(call: Call, op: (x: Value, axes: readonly number[]) => Value): Value {
  const x = call.tensor(0);
  const axes = call.axes(1, x.shape.length) ?? x.shape.map((_, axis) => axis);
  const y = op(x, axes);
  if (call.number('keepdims', 1)) return y;
  return reshape(
    y,
    y.shape.filter((_, axis) => !axes.includes(axis)),
  );
}

/** Before opset 13 all axes from the given one on counted as one. */
function softmax(call: Call): Value {
  const x = call.tensor(0);
  const rank = x.shape.length;
  const axis = fromEnd(call.number('axis', call.opset < 13 ? 1 : -1), rank);
  if (axis === rank - 1) return activation.softmax(x);
  if (call.opset < 13) {
    const rows = reshape(x, [
      ...x.shape.slice(0, axis),
      x.shape.slice(axis).reduce((size, dim) => (size as number) * fixed(dim), 1),
    ]);
    return reshape(activation.softmax(rows), x.shape);
  }
  const perm = x.shape.map((_, index) => (index === axis ? rank - 1 : index === rank - 1 ? axis : index));
  return transpose(activation.softmax(transpose(x, perm)), perm);
}

function normalizeLayer(call: Call): Value {
  const [x, gain] = [call.tensor(0), call.tensor(1)];
  const last = x.shape.length - 1;
  if (fromEnd(call.number('axis', -1), x.shape.length) !== last || gain.shape.join() !== `${x.shape[last]}`)
    throw new Error('only the last axis can be normalized, with a gain for each place on it');
  const epsilon = call.number('epsilon', 1e-5);
  const offset = call.has(2) ? call.tensor(2) : undefined;
  if (call.isInference) return onnx.layerNormalization(x, gain, offset, epsilon);
  const scaled = multiplyGain(standardize(x, last, epsilon).y, gain);
  return offset ? addBias(scaled, offset) : scaled;
}

/** By the statistics in the file, as when a model is served; they are kept while it is trained. */
function normalizeBatch(call: Call): Value {
  const [x, gain, offset, average, variance] = [0, 1, 2, 3, 4].map((index) => call.tensor(index)) as [
    Value,
    Value,
    Value,
    Value,
    Value,
  ];
  const epsilon = call.number('epsilon', 1e-5);
  if (call.number('training_mode', 0))
    throw new Error('it is exported in training mode: export it in evaluation mode');
  if (call.isInference) return onnx.batchNormalization(x, [gain, offset, average, variance], epsilon);
  const perChannel = (value: Value) => reshape(value, [value.shape[0]!, ...x.shape.slice(2).map(() => 1)]);
  const deviation = elementwise.sqrt(add(variance, x.graph.constant(epsilon)));
  const factor = divide(gain, deviation);
  return add(multiply(subtract(x, perChannel(average)), perChannel(factor)), perChannel(offset));
}
