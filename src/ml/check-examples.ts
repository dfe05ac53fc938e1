import type { Architecture } from './architecture.ts';
import type { Loss } from './losses/loss.ts';
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
export type Targets = ArrayLike<number> | Tensor;

/** Checks x and the targets y: class numbers or values, as the loss needs them. */
export function checkExamples(
  model: Architecture,
  x: Tensor,
  y: Targets,
  loss: Loss,
  method: string,
): Examples {
  checkInput(model, x, method);
  if (loss.targets === 'values') return { x, y: values(model, x, y, loss, method) };
  if (isTensor(y)) {
    throw new ShapeError(
      `${method} got targets of shape [${y.shape.join(', ')}]: ${loss.name} needs one class number an example`,
    );
  }
  if (y.length !== x.shape[0]) {
    throw new ShapeError(`${method} got ${x.shape[0]} examples but ${y.length} labels`);
  }
  const classes = model.outputShape[1] as number;
  const labels = Int32Array.from(y);
  const bad = labels.findIndex((label) => label < 0 || label >= classes);
  if (bad >= 0) {
    throw new RangeError(
      `${method} got label ${labels[bad]} at index ${bad}: the model has ${classes} classes, 0 to ${classes - 1}`,
    );
  }
  return { x, y: labels };
}

function values(model: Architecture, x: Tensor, y: Targets, loss: Loss, method: string): Float32Array {
  const [count, outputs] = [x.shape[0]!, model.outputShape[1] as number];
  const shape = isTensor(y) ? y.shape : outputs === 1 ? [y.length, 1] : [y.length];
  if (shape.length !== 2 || shape[0] !== count || shape[1] !== outputs) {
    throw new ShapeError(
      `${method}: ${loss.name} needs targets of shape [${count}, ${outputs}], got [${shape.join(', ')}]`,
    );
  }
  return Float32Array.from(isTensor(y) ? y.data : y, Number);
}

const isTensor = (y: Targets): y is Tensor => 'shape' in y;
