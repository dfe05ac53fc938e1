import type { Value } from '../graph.ts';
import * as op from '../ops/arithmetic.ts';
import { concatenate as join } from '../ops/concatenate.ts';
import * as onnx from '../primitives.ts';
import { broadcast, formatShape, type Shape, ShapeError } from '../shape.ts';
import { defineLayer, type Layer, type LayerOptions } from './layer.ts';

/** The sum of two or more inputs, as Keras' Add (https://keras.io/api/layers/merging_layers/). */
export const add = (options: LayerOptions = {}): Layer => merging('Add', op.add, options);

/** The first input less the second, as Keras' Subtract. */
export const subtract = (options: LayerOptions = {}): Layer =>
  merging('Subtract', op.subtract, options, { most: 2 });

/** The product of two or more inputs, element by element, as Keras' Multiply. */
export const multiply = (options: LayerOptions = {}): Layer => merging('Multiply', op.multiply, options);

/** The mean of two or more inputs, as Keras' Average. */
export const average = (options: LayerOptions = {}): Layer =>
  merging('Average', op.add, options, {
    finish: (total, count) => op.multiply(total, total.graph.constant(1 / count)),
  });

/** The largest of two or more inputs, as Keras' Maximum; of equal ones the first gets the gradient. */
export const maximum = (options: LayerOptions = {}): Layer => merging('Maximum', op.larger, options);

/** The smallest of two or more inputs, as Keras' Minimum; of equal ones the first gets the gradient. */
export const minimum = (options: LayerOptions = {}): Layer => merging('Minimum', op.smaller, options);

function merging(
  type: string,
  combine: (a: Value, b: Value) => Value,
  { name }: LayerOptions,
  { most = Infinity, finish = (total) => total }: MergingDetails = {},
): Layer {
  const forward = (inputs: readonly Value[]) => finish(inputs.reduce(combine), inputs.length);
  return defineLayer({
    type,
    name,
    config: {},
    inputCount: [2, most],
    masking: 'passes',
    outputShape: (first: Shape, ...others: Shape[]) => others.reduce(broadcastTo(type), first),
    parameters: () => [],
    forward: (_x, _parameters, { inputs }) => forward(inputs),
    infer: (_x, _parameters, { inputs }) => forward(inputs),
  });
}

interface MergingDetails {
  most?: number;
  finish?: (total: Value, count: number) => Value;
}

const broadcastTo =
  (type: string) =>
  (left: Shape, right: Shape): Shape => {
    if (left.length === right.length) return broadcast(left, right);
    throw new ShapeError(
      `${type} needs inputs of one rank, got ${formatShape(left)} and ${formatShape(right)}: ` +
        'bring them into one shape first, by reshape() or flatten()',
    );
  };

/** Two or more inputs one after the other along an axis, as Keras' Concatenate. */
export function concatenate({ axis = -1, name }: LayerOptions & { axis?: number } = {}): Layer {
  const axisOf = (shape: Shape) => (axis < 0 ? axis + shape.length : axis);
  return defineLayer({
    type: 'Concatenate',
    name,
    config: { axis },
    inputCount: [2, Infinity],
    outputShape(first: Shape, ...others: Shape[]): Shape {
      const at = axisOf(first);
      let length = first[at] as number;
      for (const other of others) {
        const fits = other.length === first.length && other.every((dim, i) => i === at || dim === first[i]);
        if (!fits || at < 1 || at >= first.length) {
          throw new ShapeError(
            `Concatenate(axis ${axis}) needs inputs that are alike but for that axis, got ` +
              `${formatShape(first)} and ${formatShape(other)}`,
          );
        }
        length += other[at] as number;
      }
      return first.with(at, length);
    },
    parameters: () => [],
    forward: (x, _parameters, { inputs }) => join([...inputs], axisOf(x.shape)),
    infer: (x, _parameters, { inputs }) => onnx.concat([...inputs], axisOf(x.shape)),
  });
}
