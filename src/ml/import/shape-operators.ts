import type { Value } from '../graph.ts';
import { reshape } from '../ops/reshape.ts';
import { type Dim, dimOf, type Shape, sizeOf } from '../shape.ts';
import {
  type Call,
  constantMax,
  type Datum,
  fixed,
  fromEnd,
  integers,
  isConstant,
  multiplyDims,
} from './datum.ts';
import type { Constant } from './read-tensor.ts';
import { concat, pad, slice, transpose } from './structure.ts';

/** Operators that change shapes, or compute them. Those of constants are computed here and leave no node. */
export const shapeOperators = {
  Concat: concatenate,
  ConstantOfShape: constantOfShape,
  Expand: expand,
  Flatten: flatten,
  Gather: gather,
  Pad: padOperator,
  Reshape: reshapeOperator,
  Shape: (call: Call): Datum => {
    const { shape } = call.datum(0);
    return integers(shape.slice(call.number('start', 0), call.number('end', shape.length)));
  },
  Slice: sliceOperator,
  Split: split,
  Squeeze: squeeze,
  Transpose: (call: Call): Datum => {
    const x = call.tensor(0);
    const perm = call.list('perm') ?? x.shape.map((_, axis) => x.shape.length - 1 - axis);
    if (perm.toSorted((a, b) => a - b).join() !== x.shape.map((_, axis) => axis).join()) {
      throw new Error(`its permutation [${perm.join(', ')}] is none of ${x.shape.length} axes`);
    }
    return transpose(x, perm);
  },
  Unsqueeze: unsqueeze,
};

/** Arithmetic on constants, of equal shapes or with one number. */
export const arithmeticOnConstants = {
  Add: (a: Constant, b: Constant) => combine(a, b, (x, y) => fixed(x) + fixed(y)),
  Sub: (a: Constant, b: Constant) => combine(a, b, (x, y) => fixed(x) - fixed(y)),
  Mul: (a: Constant, b: Constant) =>
    combine(a, b, (x, y) => (a.isFloat || b.isFloat ? fixed(x) * fixed(y) : multiplyDims(x, y))),
  Div: (a: Constant, b: Constant) =>
    combine(a, b, (x, y) => {
      const quotient = fixed(x) / fixed(y);
      return a.isFloat ? quotient : Math.trunc(quotient);
    }),
};

function combine(a: Constant, b: Constant, op: (x: Dim, y: Dim) => Dim): Constant {
  const longer = a.numbers.length >= b.numbers.length ? a : b;
  const at = (constant: Constant, index: number) =>
    constant.numbers[constant.numbers.length === 1 ? 0 : index];
  const numbers = Array.from(longer.numbers, (_, index) => {
    const [x, y] = [at(a, index), at(b, index)];
    if (x === undefined || y === undefined) throw new Error('constants of different shapes');
    return op(x, y);
  });
  return { isFloat: a.isFloat, shape: longer.shape, numbers };
}

/** Moves a tensor's numbers, or a constant's, which stay in order. */
function reshaped(call: Call, shape: Shape): Datum {
  const datum = call.datum(0);
  if (isConstant(datum)) return { ...datum, shape: shape.map(fixed) };
  return reshape(datum, shape);
}

/** 0 copies the input's dimension, -1 is what remains. */
function reshapeOperator(call: Call): Datum {
  const from = call.datum(0).shape;
  const target = call.has(1) ? call.dims(1) : (call.list('shape') ?? []);
  const keepsZero = call.number('allowzero', 0) === 1;
  const shape = target.map((dim, axis): Dim => {
    if (dim === 0 && !keepsZero) return from[axis] ?? 0;
    // A file exported at a fixed batch size means any.
    if (axis === 0 && dim === call.fixedBatch && from[0] === 'N') return 'N';
    return dim;
  });
  const open = shape.indexOf(-1);
  if (open >= 0) shape[open] = remaining(from, shape.toSpliced(open, 1));
  return reshaped(call, shape);
}

function remaining(from: Shape, others: Dim[]): Dim {
  const [whole, part] = [sizeOf(from), sizeOf(others)];
  const coefficient = whole.coefficient / part.coefficient;
  const power = whole.power - part.power;
  if (Number.isInteger(coefficient) && power >= 0) return dimOf({ coefficient, power });
  throw new Error(`[${from.join(', ')}] cannot be reshaped: [${others.join(', ')}] does not divide it`);
}

function flatten(call: Call): Datum {
  const { shape } = call.datum(0);
  const axis = call.number('axis', 1);
  const cut = axis < 0 ? axis + shape.length : axis;
  return reshaped(call, [dimOf(sizeOf(shape.slice(0, cut))), dimOf(sizeOf(shape.slice(cut)))]);
}

function squeeze(call: Call): Datum {
  const { shape } = call.datum(0);
  const axes = call.axes(1, shape.length) ?? shape.flatMap((dim, axis) => (dim === 1 ? [axis] : []));
  const wrong = axes.find(
    (axis) => shape[axis] !== 1 && !(axis === 0 && shape[0] === 'N' && call.fixedBatch === 1),
  );
  if (wrong !== undefined) throw new Error(`axis ${wrong} of [${shape.join(', ')}] is not of length 1`);
  return reshaped(
    call,
    shape.filter((_, axis) => !axes.includes(axis)),
  );
}

function unsqueeze(call: Call): Datum {
  const { shape } = call.datum(0);
  const count = (call.list('axes') ?? call.numbers(1)).length;
  const axes = call.axes(1, shape.length + count)!;
  const rest = [...shape];
  return reshaped(
    call,
    Array.from({ length: shape.length + count }, (_, axis) => (axes.includes(axis) ? 1 : rest.shift()!)),
  );
}

function concatenate(call: Call): Datum {
  const parts = call.inputs.map((_, index) => call.datum(index));
  if (parts.every((part) => isConstant(part) && part.shape.length < 2))
    return integers((parts as Constant[]).flatMap((part) => Array.from(part.numbers)));
  const values = call.tensors();
  const axis = fromEnd(call.number('axis', 0), values[0]!.shape.length);
  const shapes = values.map(({ shape }) => shape);
  if (new Set(shapes.map((shape) => shape.toSpliced(axis, 1).join())).size > 1) {
    const shown = shapes.map((shape) => `[${shape.join(', ')}]`).join(', ');
    throw new Error(`its inputs ${shown} do not fit along axis ${axis}`);
  }
  return concat(values, axis);
}

/** Of constants any, of tensors one place along an axis. */
function gather(call: Call): Datum {
  const given = call.datum(0);
  const datum = given.shape.length > 1 ? call.toTensor(given) : given;
  const axis = fromEnd(call.number('axis', 0), datum.shape.length);
  const indices = call.numbers(1);
  if (isConstant(datum)) {
    const numbers = indices.map((index) => datum.numbers[fromEnd(index, datum.numbers.length)]!);
    return { isFloat: datum.isFloat, shape: [...call.datum(1).shape] as number[], numbers };
  }
  const length = fixed(datum.shape[axis]!);
  const parts = indices.map((index) =>
    slice(datum, axis, fromEnd(index, length), fromEnd(index, length) + 1),
  );
  const joined = concat(parts, axis);
  const indicesShape = call.datum(1).shape;
  return reshape(joined, [...datum.shape.slice(0, axis), ...indicesShape, ...datum.shape.slice(axis + 1)]);
}

function sliceOperator(call: Call): Datum {
  const datum = call.datum(0);
  const rank = datum.shape.length;
  const starts = call.list('starts') ?? call.numbers(1);
  const ends = call.list('ends') ?? call.numbers(2);
  const axes = call.axes(3, rank) ?? starts.map((_, axis) => axis);
  const steps = call.has(4) ? call.numbers(4) : [];
  if (steps.some((step) => step !== 1)) throw new Error('only steps of 1 are supported');
  return axes.reduce<Datum>((value, axis, index) => {
    const length = fixed(value.shape[axis]!);
    const clamp = (at: number) => Math.min(Math.max(at < 0 ? at + length : at, 0), length);
    const [start, end] = [clamp(starts[index]!), clamp(ends[index]!)];
    if (isConstant(value)) return sliceConstant(value, axis, start, end);
    if (start >= end) throw new Error(`it takes nothing: ${start} to ${end}`);
    return start === 0 && end === length ? value : slice(value, axis, start, end);
  }, datum);
}

function sliceConstant(
  { isFloat, shape, numbers }: Constant,
  axis: number,
  start: number,
  end: number,
): Constant {
  const inner = shape.slice(axis + 1).reduce((product, dim) => product * dim, 1);
  const kept = Array.from(numbers).filter((_, index) => {
    const at = Math.floor(index / inner) % shape[axis]!;
    return at >= start && at < end;
  });
  return { isFloat, shape: shape.with(axis, Math.max(end - start, 0)), numbers: kept };
}

function split(call: Call): Datum[] {
  const x = call.tensor(0);
  const axis = fromEnd(call.number('axis', 0), x.shape.length);
  const count = call.node.outputs.length;
  const length = fixed(x.shape[axis]!);
  const equal = () => new Array<number>(count).fill(Math.ceil(length / count));
  const sizes = call.list('split') ?? (call.has(1) ? call.numbers(1) : equal());
  let start = 0;
  return sizes.map((size) => {
    const part = slice(x, axis, start, Math.min(start + size, length));
    start += size;
    return part;
  });
}

function padOperator(call: Call): Value {
  const x = call.tensor(0);
  const mode = call.text('mode', 'constant');
  if (mode !== 'constant') throw new Error(`its mode ${mode} is not supported`);
  const pads = call.list('pads') ?? call.numbers(1);
  const rank = x.shape.length;
  if (pads.length !== 2 * rank) throw new Error(`it has ${pads.length} pads for ${rank} axes`);
  const fill = call.has(2) ? call.numbers(2)[0]! : call.number('value', 0);
  return pad(x, pads.slice(0, rank), pads.slice(rank), fill);
}

function constantOfShape(call: Call): Datum {
  const value = call.attribute('value');
  const filling =
    value && typeof value === 'object' && !Array.isArray(value) ? value : { isFloat: true, numbers: [0] };
  return filled(filling, call.dims(0));
}

/** One row stands for the whole batch: whatever takes it spreads it. */
function filled({ isFloat, numbers }: Pick<Constant, 'isFloat' | 'numbers'>, dims: readonly Dim[]): Constant {
  const shape = dims.map((dim) => (typeof dim === 'number' ? dim : 1));
  const size = shape.reduce((product, dim) => product * dim, 1);
  if (!(size >= 0 && size <= constantMax)) throw new Error(`a constant of ${size} numbers is too large`);
  return { isFloat, shape, numbers: new Array<Dim>(size).fill(numbers[0] ?? 0) };
}

/** Of one number, if repeated, or where it changes nothing: other operators broadcast by themselves. */
function expand(call: Call): Datum {
  const datum = call.datum(0);
  const target = call.dims(1);
  const isSame =
    target.length <= datum.shape.length &&
    target.every((dim, index) => {
      return dim === 1 || dim === datum.shape[index + datum.shape.length - target.length];
    });
  if (isSame) return datum;
  if (isConstant(datum) && new Set(Array.from(datum.numbers)).size === 1) return filled(datum, target);
  throw new Error('Expand has no gradient here');
}
