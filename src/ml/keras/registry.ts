import { activation, elu, leakyRelu } from '../layers/activation.ts';
import { averagePooling2d } from '../layers/average-pooling2d.ts';
import { batchNormalization } from '../layers/batch-normalization.ts';
import { conv2d } from '../layers/conv2d.ts';
import { dense } from '../layers/dense.ts';
import { dropout } from '../layers/dropout.ts';
import { flatten } from '../layers/flatten.ts';
import { globalAveragePooling2d, globalMaxPooling2d } from '../layers/global-pooling2d.ts';
import type { Layer } from '../layers/layer.ts';
import { layerNormalization } from '../layers/layer-normalization.ts';
import { maxPool2d } from '../layers/max-pool2d.ts';
import { rescaling } from '../layers/rescaling.ts';
import { reshape } from '../layers/reshape.ts';
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
  weightPaths?: readonly string[];
}

const entry = (
  accepts: string,
  make: (args: Arguments) => Layer,
  { fixed = {}, weightPaths }: { fixed?: Record<string, unknown>; weightPaths?: string[] } = {},
): LayerEntry => ({
  accepts: accepts.split(' ').filter(Boolean),
  make,
  fixed,
  ...(weightPaths && { weightPaths }),
});

const pooling = 'pool_size strides padding';
const kernel = 'activation use_bias kernel_initializer bias_initializer';

/** The layers that Keras' files may have, by their class names there. A new layer joins with a line. */
export const registry: Readonly<Record<string, LayerEntry>> = {
  Activation: entry('activation', ({ activation: which, ...o }) => activation(which, o)),
  AveragePooling2D: entry(pooling, ({ poolSize, ...o }) => averagePooling2d(poolSize, o)),
  BatchNormalization: entry(
    'momentum epsilon center scale beta_initializer gamma_initializer moving_mean_initializer moving_variance_initializer',
    (o) => batchNormalization(o),
    { fixed: { renorm_momentum: 0.99, axis: -1 } },
  ),
  Conv2D: entry(
    `filters kernel_size strides padding dilation_rate ${kernel}`,
    ({ filters, kernelSize, ...o }) => conv2d(filters, kernelSize, o),
    { fixed: { groups: 1 } },
  ),
  Dense: entry(`units ${kernel}`, ({ units, ...o }) => dense(units, o)),
  Dropout: entry('rate', ({ rate, ...o }) => dropout(rate, o)),
  ELU: entry('alpha', (o) => elu(o)),
  Flatten: entry('', (o) => flatten(o)),
  GlobalAveragePooling2D: entry('keepdims', (o) => globalAveragePooling2d(o)),
  GlobalMaxPooling2D: entry('keepdims', (o) => globalMaxPooling2d(o)),
  LayerNormalization: entry(
    'epsilon center scale beta_initializer gamma_initializer',
    (o) => layerNormalization(o),
    {
      fixed: { axis: -1 },
    },
  ),
  LeakyReLU: entry('negative_slope', (o) => leakyRelu(o)),
  MaxPooling2D: entry(pooling, ({ poolSize, ...o }) => maxPool2d(poolSize, o)),
  Rescaling: entry('scale offset', ({ scale, offset, ...o }) => rescaling(scale, offset, o)),
  Reshape: entry('target_shape', ({ targetShape, ...o }) => reshape(targetShape, o)),
  ZeroPadding2D: entry('padding', ({ padding, ...o }) => zeroPadding2d(padding, o)),
};
