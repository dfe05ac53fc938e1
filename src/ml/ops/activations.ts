import { differentiable } from '../autodiff.ts';
import type { Value } from '../graph.ts';
import * as onnx from '../primitives.ts';

export function relu(x: Value): Value {
  const y = onnx.relu(x);
  return differentiable([x], y, (dy) => [onnx.mul(dy, onnx.mask(onnx.greater(y, y.graph.constant(0))))]);
}

/** Softmax over the last axis of x. */
export function softmax(x: Value): Value {
  const y = onnx.softmax(x);
  return differentiable([x], y, (dy) => {
    const mean = onnx.reduceSum(onnx.mul(dy, y), y.shape.length - 1, { keepDims: true });
    return [onnx.mul(onnx.sub(dy, mean), y)];
  });
}

/** 1 / (1 + exp(-x)) */
export function sigmoid(x: Value): Value {
  const y = onnx.sigmoid(x);
  return differentiable([x], y, (dy) => [onnx.mul(dy, onnx.mul(y, onnx.sub(y.graph.constant(1), y)))]);
}

export function tanh(x: Value): Value {
  const y = onnx.tanh(x);
  return differentiable([x], y, (dy) => [onnx.mul(dy, onnx.sub(y.graph.constant(1), onnx.mul(y, y)))]);
}

/** x where it is positive, else `negativeSlope` times x (Maas et al., 2013). */
export function leakyRelu(x: Value, negativeSlope: number): Value {
  const { graph } = x;
  const zero = graph.constant(0);
  const y = onnx.add(onnx.relu(x), onnx.mul(onnx.min(x, zero), graph.constant(negativeSlope)));
  return differentiable([x], y, (dy) => {
    const isPositive = onnx.mask(onnx.greater(x, zero));
    const slope = onnx.add(
      onnx.mul(isPositive, graph.constant(1 - negativeSlope)),
      graph.constant(negativeSlope),
    );
    return [onnx.mul(dy, slope)];
  });
}

/** x where it is positive, else alpha * (exp(x) - 1) (Clevert et al., 2016). */
export function elu(x: Value, alpha: number): Value {
  const { graph } = x;
  const [zero, one] = [graph.constant(0), graph.constant(1)];
  const power = onnx.exp(onnx.min(x, zero));
  const y = onnx.add(onnx.relu(x), onnx.mul(onnx.sub(power, one), graph.constant(alpha)));
  return differentiable([x], y, (dy) => {
    const isPositive = onnx.mask(onnx.greater(x, zero));
    const negative = onnx.mul(onnx.sub(one, isPositive), onnx.mul(power, graph.constant(alpha)));
    return [onnx.mul(dy, onnx.add(isPositive, negative))];
  });
}

/** x * sigmoid(x), also called swish (Elfwing et al., 2018). */
export function silu(x: Value): Value {
  const { graph } = x;
  const gate = onnx.sigmoid(x);
  const y = onnx.mul(x, gate);
  return differentiable([x], y, (dy) => [
    onnx.mul(dy, onnx.add(gate, onnx.mul(y, onnx.sub(graph.constant(1), gate)))),
  ]);
}

/** log(1 + exp(x)), in a form that large numbers do not overflow. */
export function softplus(x: Value): Value {
  const { graph } = x;
  const tail = onnx.log(onnx.add(onnx.exp(onnx.neg(onnx.abs(x))), graph.constant(1)));
  return differentiable([x], onnx.add(onnx.relu(x), tail), (dy) => [onnx.mul(dy, onnx.sigmoid(x))]);
}
