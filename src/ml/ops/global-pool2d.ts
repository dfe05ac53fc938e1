import { differentiable } from '../autodiff.ts';
import type { Value } from '../graph.ts';
import * as onnx from '../primitives.ts';
import { flattenPixels } from './pixels.ts';

/** The mean over the pixels of x [N, H, W, C]: [N, C]. */
export function globalAveragePool2d(x: Value): Value {
  const pixels = flattenPixels(x);
  const count = pixels.shape[1] as number;
  const share = x.graph.constant(1 / count);
  const y = onnx.mul(onnx.reduceSum(pixels, 1), share);
  return differentiable([x], y, (dy) => {
    const shares = x.graph.constant(new Array<number>(count).fill(1 / count), [1, count, 1]);
    const each = onnx.mul(onnx.reshape(dy, ['N', 1, dy.shape[1]!]), shares);
    return [onnx.reshape(each, x.shape)];
  });
}

/** The largest over the pixels of x [N, H, W, C]: [N, C]. Equal pixels share the gradient, as in Keras. */
export function globalMaxPool2d(x: Value): Value {
  const pixels = flattenPixels(x);
  const highest = onnx.reduceMax(pixels, 1, { keepDims: true });
  const y = onnx.reshape(highest, ['N', x.shape[3]!]);
  return differentiable([x], y, (dy) => {
    const isHighest = onnx.mask(onnx.equal(pixels, highest));
    const ties = onnx.reduceSum(isHighest, 1, { keepDims: true });
    const share = onnx.div(onnx.reshape(dy, highest.shape), ties);
    return [onnx.reshape(onnx.mul(isHighest, share), x.shape)];
  });
}
