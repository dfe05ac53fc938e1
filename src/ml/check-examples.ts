import type { Architecture } from './architecture.ts';
import { type Each, eachOf } from './by-name.ts';
import { startsOf, type Term } from './losses/objective.ts';
import { ShapeError } from './shape.ts';
import type { Tensor } from './tensor.ts';
import type { Examples } from './training/engine.ts';

/** Checks that x is what the model takes.
 * @throws ShapeError that says what came, what was needed and how to mend it. */
export function checkInput({ input }: Architecture, x: Tensor, method: string): void {
  const [count, ...shape] = x.shape;
  if (shape.length !== input.shape.length || shape.some((dim, axis) => dim !== input.shape[axis])) {
    throw new ShapeError(
      `${method} got inputs of shape [${x.shape.join(', ')}], the model takes [N, ${input.shape.join(', ')}]`,
    );
  }
  if (!count) throw new ShapeError(`${method} got no examples: shape [${x.shape.join(', ')}]`);
  if (x.dtype !== input.dtype) {
    throw new ShapeError(
      `${method} got ${x.dtype} inputs, the model takes ${input.dtype}: ` +
        `declare input([${input.shape.join(', ')}], { dtype: '${x.dtype}' }) or convert the data`,
    );
  }
}

/** Class numbers or single values, one for each example, or rows of values [count, outputs]. */
export type OutputTargets = ArrayLike<number> | Tensor;

/** The targets of the output, or of each of several, in their order or by name. */
export type Targets = OutputTargets | Each<OutputTargets>;

/** Checks x and the targets y: class numbers or values, as each term's loss needs them. Those of several terms come
 * as one row of numbers an example. */
export function checkExamples(
  model: Architecture,
  x: Tensor,
  y: Targets,
  terms: readonly Term[],
  method: string,
): Examples {
  checkInput(model, x, method);
  const count = x.shape[0]!;
  const given = targetsOf(model, y, terms, method);
  const checked = terms.map((term, index) => {
    const where = terms.length > 1 ? `${method}, output "${term.name}",` : method;
    return term.loss.targets === 'values'
      ? values(count, given[index]!, term, where)
      : classNumbers(count, given[index]!, term, where);
  });
  return { x, y: checked.length === 1 ? checked[0]! : joinColumns(count, checked) };
}

/** What is given for each term. Outputs without a loss may have targets too, which nobody asks. */
function targetsOf(
  { outputs }: Architecture,
  y: Targets,
  terms: readonly Term[],
  method: string,
): OutputTargets[] {
  if (isOne(y)) {
    if (terms.length === 1) return [y];
    const names = terms.map(({ name }) => `"${name}"`).join(' and ');
    throw new ShapeError(
      `${method} got one array of targets for the outputs ${names}: give { name: targets }`,
    );
  }
  const isOfAll = Array.isArray(y)
    ? y.length === outputs.length
    : outputs.every(({ name }) => Object.hasOwn(y, name));
  const names = isOfAll ? outputs.map(({ name }) => name) : terms.map(({ name }) => name);
  const hint =
    outputs.length === 1 ? ': give class numbers, or rows of values as tensor(data, [count, outputs])' : '';
  const given = eachOf(names, y, `${method} (targets)`, hint);
  return isOfAll ? terms.map(({ output }) => given[output]!) : given;
}

function classNumbers(count: number, y: OutputTargets, { loss, width }: Term, method: string): Int32Array {
  // A data set's class numbers come as a tensor [count].
  const list = isTensor(y) && y.shape.length === 1 && isWhole(y) ? (y.data as Int32Array) : y;
  if (isTensor(list)) {
    throw new ShapeError(
      `${method} got targets of shape [${list.shape.join(', ')}]: ${loss.name} needs one class number an example`,
    );
  }
  if (list.length !== count)
    throw new ShapeError(`${method} got ${count} examples but ${list.length} labels`);
  const labels = Int32Array.from(list);
  const bad = labels.findIndex((label) => label < 0 || label >= width);
  if (bad >= 0) {
    throw new RangeError(
      `${method} got label ${labels[bad]} at index ${bad}: the model has ${width} classes, 0 to ${width - 1}`,
    );
  }
  return labels;
}

function values(count: number, y: OutputTargets, { loss, width }: Term, method: string): Float32Array {
  const given = isTensor(y) ? y.shape : [y.length];
  const shape = given.length === 1 && width === 1 ? [given[0], 1] : given;
  if (shape.length !== 2 || shape[0] !== count || shape[1] !== width) {
    throw new ShapeError(
      `${method}: ${loss.name} needs targets of shape [${count}, ${width}], got [${shape.join(', ')}]`,
    );
  }
  return Float32Array.from(isTensor(y) ? y.data : y, Number);
}

function joinColumns(count: number, all: readonly (Int32Array | Float32Array)[]): Float32Array {
  const widths = all.map(({ length }) => length / count);
  const total = widths.reduce((sum, width) => sum + width, 0);
  const joined = new Float32Array(count * total);
  startsOf(widths).forEach((start, index) => {
    const width = widths[index]!;
    for (let row = 0; row < count; row += 1)
      joined.set(all[index]!.subarray(row * width, (row + 1) * width), row * total + start);
  });
  return joined;
}

/** A tensor or plain numbers, rather than something for each of several outputs. */
function isOne(y: Targets): y is OutputTargets {
  if (isTensor(y) || ArrayBuffer.isView(y)) return true;
  if (Array.isArray(y)) return typeof y[0] !== 'object';
  return typeof (y as ArrayLike<number>).length === 'number';
}

const isWhole = ({ dtype }: Tensor): boolean => dtype === 'int32' || dtype === 'uint8';

const isTensor = (y: Targets): y is Tensor => Array.isArray((y as Tensor).shape);
