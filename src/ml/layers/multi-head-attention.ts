import type { Value } from '../graph.ts';
import { softmax } from '../ops/activations.ts';
import { add, multiply } from '../ops/arithmetic.ts';
import { batchMatMul } from '../ops/batch-mat-mul.ts';
import { addBias } from '../ops/bias.ts';
import { dropout as drop } from '../ops/dropout.ts';
import { linear } from '../ops/linear.ts';
import { reshape } from '../ops/reshape.ts';
import { transpose } from '../ops/transpose.ts';
import * as onnx from '../primitives.ts';
import { formatShape, type Shape, ShapeError } from '../shape.ts';
import { glorotUniform, zeros } from './initializers.ts';
import type { KernelOptions } from './kernel.ts';
import { defineLayer, type ForwardContext, type Layer, type Parameter } from './layer.ts';
import { regularizeActivity } from './regularizers.ts';

export interface MultiHeadAttentionOptions extends Omit<KernelOptions, 'activation'> {
  valueDim?: number;
  /** The share of the attention scores that is dropped while training. */
  dropout?: number;
  /** The length of the last axis; that of the query by default. */
  outputShape?: number;
  /** Lets each step see only itself and those before it; in Keras an argument of the call. */
  useCausalMask?: boolean;
}

/** The score of what must not be seen. */
const masked = -1e9;

/** Attention of several heads (Vaswani et al., 2017) of query [N, T, ...] to value and key [N, S, ...], applied as
 * `apply(query, value, key = value)`, as Keras' MultiHeadAttention
 * (https://keras.io/api/layers/attention_layers/multi_head_attention/). */
export function multiHeadAttention(
  numHeads: number,
  keyDim: number,
  options: MultiHeadAttentionOptions = {},
): Layer {
  const { valueDim = keyDim, dropout = 0, useBias = true, useCausalMask = false } = options;

  function parameters(query: Shape, value: Shape = query, key: Shape = value): Parameter[] {
    const width = options.outputShape ?? (query[2] as number);
    return [
      ...projection('query', [query[2] as number, numHeads, keyDim], [numHeads, keyDim]),
      ...projection('key', [key[2] as number, numHeads, keyDim], [numHeads, keyDim]),
      ...projection('value', [value[2] as number, numHeads, valueDim], [numHeads, valueDim]),
      ...projection('attention_output', [numHeads, valueDim, width], [width]),
    ];
  }

  function projection(name: string, shape: number[], biasShape: number[]): Parameter[] {
    const { kernelInitializer = glorotUniform, biasInitializer = zeros } = options;
    const kernel = {
      name: `${name}/kernel`,
      shape,
      initializer: kernelInitializer,
      regularizer: options.kernelRegularizer,
    };
    const bias = {
      name: `${name}/bias`,
      shape: biasShape,
      initializer: biasInitializer,
      regularizer: options.biasRegularizer,
    };
    return useBias ? [kernel, bias] : [kernel];
  }

  function compute(query: Value, weights: Value[], context: ForwardContext): Value {
    const [, value = query, key = value] = context.inputs;
    const each = useBias ? 2 : 1;
    const part = (index: number): [kernel: Value, bias: Value | undefined] => [
      weights[index * each]!,
      useBias ? weights[index * each + 1] : undefined,
    ];
    // [N, heads, T, dim], and the key as [N, heads, dim, S], so that the products need no other transpose.
    const q = intoHeads(query, part(0), [0, 2, 1, 3]);
    const k = intoHeads(key, part(1), [0, 2, 3, 1]);
    const v = intoHeads(value, part(2), [0, 2, 1, 3]);
    const scaled = multiply(q, query.graph.constant(1 / Math.sqrt(keyDim)));
    const scores = hide(batchMatMul(scaled, k), useCausalMask, context.masks);
    const shares = softmax(scores);
    const seen =
      context.isTraining && dropout > 0 ? drop(shares, dropout, context.random(shares, 'uniform')) : shares;
    const heads = transpose(batchMatMul(seen, v), [0, 2, 1, 3]);
    const joined = reshape(heads, [query.shape[0]!, query.shape[1]!, numHeads * valueDim]);
    const [kernel, bias] = part(3);
    const product = linear(joined, reshape(kernel, [numHeads * valueDim, kernel.shape[2]!]));
    return regularizeActivity(bias ? addBias(product, bias) : product, options.activityRegularizer, context);
  }

  return defineLayer({
    type: 'MultiHeadAttention',
    name: options.name,
    trainable: options.trainable,
    config: { numHeads, keyDim, ...options },
    inputCount: [2, 3],
    masking: (_x, { masks }) => masks[0],
    outputShape(query: Shape, value: Shape = query, key: Shape = value): Shape {
      for (const shape of [query, value, key]) {
        if (shape.length === 3 && key[1] === value[1]) continue;
        throw new ShapeError(
          `MultiHeadAttention(${numHeads}, ${keyDim}) needs a query [N, T, ...] and value and key ` +
            `[N, S, ...], got ${[query, value, key].map(formatShape).join(', ')}`,
        );
      }
      return [...query.slice(0, 2), options.outputShape ?? query[2]!];
    },
    parameters,
    forward: compute,
    infer: compute,
  });
}

/** x [N, T, C] by a kernel [C, heads, dim], as [N, T, heads, dim] with its axes in another order. */
function intoHeads(x: Value, [kernel, bias]: [Value, Value | undefined], order: number[]): Value {
  const [channels, heads, dim] = kernel.shape as number[];
  const width = heads! * dim!;
  const product = linear(x, reshape(kernel, [channels!, width]));
  const biased = bias ? addBias(product, reshape(bias, [width])) : product;
  return transpose(reshape(biased, [x.shape[0]!, x.shape[1]!, heads!, dim!]), order);
}

/** Scores [N, heads, T, S] replaced where a step may not see another. Where all are hidden, all count alike. */
function hide(scores: Value, isCausal: boolean, [query, value, key]: ForwardContext['masks']): Value {
  const { graph } = scores;
  const [, , steps, seen] = scores.shape as [unknown, number, number, number];
  const shown: Value[] = [];
  if (isCausal) {
    const entries = Array.from({ length: steps * seen }, (_, index) =>
      index % seen > Math.floor(index / seen) ? 0 : 1,
    );
    shown.push(graph.constant(entries, [1, 1, steps, seen]));
  }
  if (query) shown.push(onnx.reshape(query, ['N', 1, steps, 1]));
  if (value) shown.push(onnx.reshape(value, ['N', 1, 1, seen]));
  if (key && key !== value) shown.push(onnx.reshape(key, ['N', 1, 1, seen]));
  if (shown.length === 0) return scores;
  const isShown = shown.reduce(onnx.mul);
  const hidden = onnx.sub(graph.constant(1), isShown);
  return add(multiply(scores, isShown), onnx.mul(hidden, graph.constant(masked)));
}
