import type { PlacedLayer } from './architecture.ts';
import type { Value } from './graph.ts';
import { Conv2D } from './layers/conv2d.ts';
import type { ForwardContext } from './layers/layer.ts';
import { MaxPool2D } from './layers/max-pool2d.ts';
import { conv2dMaxPool } from './ops/conv2d-max-pool.ts';
import { canUsePatches, patchConv2dMaxPool } from './ops/patch-conv2d-max-pool.ts';

/** Images of at most this many channels are cheaper to gather by patches than by pixels. */
const patchChannelsMax = 4;

/** Builds the layers of differentiable ops, choosing the fastest form of each stretch. */
export function lower(
  layers: PlacedLayer[],
  input: Value,
  parametersOf: (layer: PlacedLayer) => Value[],
  context: ForwardContext,
): Value {
  let value = input;
  let isTrainableBefore = false;
  for (let index = 0; index < layers.length; ) {
    const placed = layers[index]!;
    const parameters = parametersOf(placed);
    const fused = fuseConvolutionAndPooling(placed, layers[index + 1], value, parameters, isTrainableBefore);
    value = fused ?? placed.layer.forward(value, parameters, { ...context, seed: context.seed + index });
    index += fused ? 2 : 1;
    isTrainableBefore ||= parameters.length > 0;
  }
  return value;
}

/** Conv2D and the MaxPooling2D after it as one step, where the pooling's cells do not overlap and the activation
 * between them may come after. */
function fuseConvolutionAndPooling(
  { layer: convolution }: PlacedLayer,
  next: PlacedLayer | undefined,
  x: Value,
  [kernel, bias]: Value[],
  isTrainableBefore: boolean,
): Value | undefined {
  const pooling = next?.layer;
  if (!(convolution instanceof Conv2D && pooling instanceof MaxPool2D)) return undefined;
  if (!convolution.activation.isMonotone) return undefined;
  const [pool] = pooling.poolSize;
  const isCellwise = [...pooling.poolSize, ...pooling.strides].every((side) => side === pool);
  if (!isCellwise || pooling.padding !== 'valid') return undefined;
  const window = convolution.window(x.shape);
  const isImage = !isTrainableBefore && (x.shape[3] as number) <= patchChannelsMax;
  const convolve = isImage && canUsePatches(window, pool) ? patchConv2dMaxPool : conv2dMaxPool;
  return convolution.finish(convolve(x, kernel!, window, pool), bias);
}
