import type { Value } from '../graph.ts';
import { relu, softmax } from '../ops/activations.ts';
import * as onnx from '../primitives.ts';

export type Activation = 'linear' | 'relu' | 'softmax';

export function activate(x: Value, activation: Activation): Value {
  if (activation === 'relu') return relu(x);
  return activation === 'softmax' ? softmax(x) : x;
}

/** The same in ONNX's own operators. */
export function inferActivation(x: Value, activation: Activation): Value {
  if (activation === 'relu') return onnx.relu(x);
  return activation === 'softmax' ? onnx.softmax(x) : x;
}
