import { activation, elu, leakyRelu } from '../layers/activation.ts';
import { averagePooling2d } from '../layers/average-pooling2d.ts';
import { batchNormalization } from '../layers/batch-normalization.ts';
import { bidirectional } from '../layers/bidirectional.ts';
import { conv2d } from '../layers/conv2d.ts';
import { conv2dTranspose } from '../layers/conv2d-transpose.ts';
import { cropping2d } from '../layers/cropping2d.ts';
import { dense } from '../layers/dense.ts';
import { depthwiseConv2d, separableConv2d } from '../layers/depthwise-conv2d.ts';
import { dropout } from '../layers/dropout.ts';
import { embedding } from '../layers/embedding.ts';
import { flatten } from '../layers/flatten.ts';
import { globalAveragePooling1d, globalMaxPooling1d } from '../layers/global-pooling1d.ts';
import { globalAveragePooling2d, globalMaxPooling2d } from '../layers/global-pooling2d.ts';
import { gru } from '../layers/gru.ts';
import type { Layer } from '../layers/layer.ts';
import { layerNormalization } from '../layers/layer-normalization.ts';
import { lstm } from '../layers/lstm.ts';
import { maxPool2d } from '../layers/max-pool2d.ts';
import { add, average, concatenate, maximum, minimum, multiply, subtract } from '../layers/merging.ts';
import { multiHeadAttention } from '../layers/multi-head-attention.ts';
import { gaussianNoise, spatialDropout1d, spatialDropout2d } from '../layers/noise.ts';
import {
  averagePooling1d,
  conv1d,
  cropping1d,
  maxPooling1d,
  upSampling1d,
  zeroPadding1d,
} from '../layers/one-dimensional.ts';
import { permute, repeatVector } from '../layers/permute.ts';
import { prelu, relu, softmax } from '../layers/rectifiers.ts';
import { rescaling } from '../layers/rescaling.ts';
import { reshape } from '../layers/reshape.ts';
import { simpleRNN } from '../layers/simple-rnn.ts';
import { timeDistributed } from '../layers/time-distributed.ts';
import { upSampling2d } from '../layers/up-sampling2d.ts';
import { zeroPadding2d } from '../layers/zero-padding2d.ts';

// A configuration is a file's, checked by key in `layer-config.ts`; its values are the layers' to check.
// biome-ignore lint/suspicious/noExplicitAny: each line below names the arguments that it takes
type Arguments = any;

/** How a layer of Keras is made. */
export interface LayerEntry {
  /** Arguments that are passed on, by Keras' names. */
  accepts: readonly string[];
  make(args: Arguments): Layer;
  /** Keras' values of arguments that we have no other value for. */
  fixed: Readonly<Record<string, unknown>>;
  /** Places of the weights in a `.weights.h5` file, where they are not vars/0, vars/1, … */
  weightPaths?(count: number): string[];
}

const entry = (
  accepts: string,
  make: (args: Arguments) => Layer,
  {
    fixed = {},
    weightPaths,
  }: { fixed?: Record<string, unknown>; weightPaths?: LayerEntry['weightPaths'] } = {},
): LayerEntry => ({
  accepts: accepts.split(' ').filter(Boolean),
  make,
  fixed,
  ...(weightPaths && { weightPaths }),
});

/** The weights vars/0, vars/1, … of objects inside a layer, in equal parts. */
const inside =
  (...parts: string[]) =>
  (count: number): string[] =>
    Array.from({ length: count }, (_, index) => {
      const each = count / parts.length;
      return `${parts[Math.floor(index / each)]}/vars/${index % each}`;
    });

/** A list of one number, as Keras writes sizes in one dimension. */
const single = (value: number | number[] | undefined) => (Array.isArray(value) ? value[0] : value);

const singles = <A extends Record<string, number | number[] | undefined>>(
  args: A,
  ...names: string[]
): A => ({
  ...args,
  ...Object.fromEntries(names.filter((name) => name in args).map((name) => [name, single(args[name])])),
});

const pooling = 'pool_size strides padding';
const kernel =
  'activation use_bias kernel_initializer bias_initializer kernel_regularizer bias_regularizer activity_regularizer';
const depthwise = `kernel_size strides padding depth_multiplier dilation_rate activation use_bias depthwise_initializer bias_initializer depthwise_regularizer bias_regularizer activity_regularizer`;
const recurrent = `units ${kernel} recurrent_initializer recurrent_regularizer return_sequences go_backwards dropout`;
const cell = { fixed: { recurrent_dropout: 0 }, weightPaths: inside('cell') };
const heads = inside('query_dense', 'key_dense', 'value_dense', 'output_dense');

/** The layers that Keras' files may have, by their class names there. A new layer joins with a line. */
export const registry: Readonly<Record<string, LayerEntry>> = {
  Activation: entry('activation', ({ activation: which, ...o }) => activation(which, o)),
  Add: entry('', add),
  Average: entry('', average),
  AveragePooling1D: entry(pooling, (o) => {
    const { poolSize, ...rest } = singles(o, 'poolSize', 'strides');
    return averagePooling1d(poolSize, rest);
  }),
  AveragePooling2D: entry(pooling, ({ poolSize, ...o }) => averagePooling2d(poolSize, o)),
  BatchNormalization: entry(
    'momentum epsilon center scale beta_initializer gamma_initializer moving_mean_initializer moving_variance_initializer beta_regularizer gamma_regularizer',
    batchNormalization,
    { fixed: { renorm_momentum: 0.99, axis: -1 } },
  ),
  Bidirectional: entry('layer merge_mode backward_layer', ({ layer, ...o }) => bidirectional(layer, o), {
    weightPaths: inside('forward_layer/cell', 'backward_layer/cell'),
  }),
  Concatenate: entry('axis', concatenate),
  Conv1D: entry(`filters kernel_size strides padding dilation_rate groups ${kernel}`, (o) => {
    const { filters, kernelSize, ...rest } = singles(o, 'kernelSize', 'strides', 'dilationRate');
    return conv1d(filters, kernelSize, rest);
  }),
  Conv2D: entry(
    `filters kernel_size strides padding dilation_rate groups ${kernel}`,
    ({ filters, kernelSize, ...o }) => conv2d(filters, kernelSize, o),
  ),
  Conv2DTranspose: entry(
    `filters kernel_size strides padding ${kernel}`,
    ({ filters, kernelSize, ...o }) => conv2dTranspose(filters, kernelSize, o),
    { fixed: { dilation_rate: [1, 1], groups: 1 } },
  ),
  Cropping1D: entry('cropping', ({ cropping, ...o }) => cropping1d(cropping, o)),
  Cropping2D: entry('cropping', ({ cropping, ...o }) => cropping2d(cropping, o)),
  Dense: entry(`units ${kernel}`, ({ units, ...o }) => dense(units, o)),
  DepthwiseConv2D: entry(depthwise, ({ kernelSize, ...o }) => depthwiseConv2d(kernelSize, o), {
    fixed: { groups: 1 },
  }),
  Dropout: entry('rate', ({ rate, ...o }) => dropout(rate, o)),
  ELU: entry('alpha', elu),
  Embedding: entry(
    'input_dim output_dim embeddings_initializer embeddings_regularizer mask_zero',
    ({ inputDim, outputDim, ...o }) => embedding(inputDim, outputDim, o),
  ),
  Flatten: entry('', flatten),
  GRU: entry(`${recurrent} recurrent_activation reset_after`, ({ units, ...o }) => gru(units, o), cell),
  GaussianNoise: entry('stddev', ({ stddev, ...o }) => gaussianNoise(stddev, o)),
  GlobalAveragePooling1D: entry('keepdims', globalAveragePooling1d),
  GlobalAveragePooling2D: entry('keepdims', globalAveragePooling2d),
  GlobalMaxPooling1D: entry('keepdims', globalMaxPooling1d),
  GlobalMaxPooling2D: entry('keepdims', globalMaxPooling2d),
  LSTM: entry(
    `${recurrent} recurrent_activation unit_forget_bias`,
    ({ units, ...o }) => lstm(units, o),
    cell,
  ),
  LayerNormalization: entry(
    'epsilon center scale beta_initializer gamma_initializer beta_regularizer gamma_regularizer',
    layerNormalization,
    { fixed: { axis: -1 } },
  ),
  LeakyReLU: entry('negative_slope', leakyRelu),
  MaxPooling1D: entry(pooling, (o) => {
    const { poolSize, ...rest } = singles(o, 'poolSize', 'strides');
    return maxPooling1d(poolSize, rest);
  }),
  MaxPooling2D: entry(pooling, ({ poolSize, ...o }) => maxPool2d(poolSize, o)),
  Maximum: entry('', maximum),
  Minimum: entry('', minimum),
  MultiHeadAttention: entry(
    'num_heads key_dim value_dim dropout use_bias output_shape kernel_initializer bias_initializer kernel_regularizer bias_regularizer activity_regularizer',
    ({ numHeads, keyDim, ...o }) => multiHeadAttention(numHeads, keyDim, singles(o, 'outputShape')),
    { fixed: { attention_axes: [1] }, weightPaths: heads },
  ),
  Multiply: entry('', multiply),
  PReLU: entry('alpha_initializer alpha_regularizer shared_axes', prelu),
  Permute: entry('dims', ({ dims, ...o }) => permute(dims, o)),
  ReLU: entry('max_value negative_slope threshold', relu),
  RepeatVector: entry('n', ({ n, ...o }) => repeatVector(n, o)),
  Rescaling: entry('scale offset', ({ scale, offset, ...o }) => rescaling(scale, offset, o)),
  Reshape: entry('target_shape', ({ targetShape, ...o }) => reshape(targetShape, o)),
  SeparableConv2D: entry(
    `filters pointwise_initializer pointwise_regularizer ${depthwise}`,
    ({ filters, kernelSize, ...o }) => separableConv2d(filters, kernelSize, o),
    { fixed: { groups: 1 } },
  ),
  SimpleRNN: entry(recurrent, ({ units, ...o }) => simpleRNN(units, o), cell),
  Softmax: entry('axis', softmax),
  SpatialDropout1D: entry('rate', ({ rate, ...o }) => spatialDropout1d(rate, o)),
  SpatialDropout2D: entry('rate', ({ rate, ...o }) => spatialDropout2d(rate, o)),
  Subtract: entry('', subtract),
  TimeDistributed: entry('layer', ({ layer, ...o }) => timeDistributed(layer, o), {
    weightPaths: inside('layer'),
  }),
  UpSampling1D: entry('size', ({ size, ...o }) => upSampling1d(single(size), o)),
  UpSampling2D: entry('size', ({ size, ...o }) => upSampling2d(size, o), {
    fixed: { interpolation: 'nearest' },
  }),
  ZeroPadding1D: entry('padding', ({ padding, ...o }) => zeroPadding1d(padding, o)),
  ZeroPadding2D: entry('padding', ({ padding, ...o }) => zeroPadding2d(padding, o)),
};
