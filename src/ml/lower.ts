import type { Architecture, PlacedLayer, PlacedNode } from './architecture.ts';
import type { Value } from './graph.ts';
import { Conv2D } from './layers/conv2d.ts';
import type { ForwardContext, RandomDistribution } from './layers/layer.ts';
import { MaxPool2D } from './layers/max-pool2d.ts';
import { conv2dMaxPool } from './ops/conv2d-max-pool.ts';
import { canUsePatches, patchConv2dMaxPool } from './ops/patch-conv2d-max-pool.ts';
import * as onnx from './primitives.ts';

/** Images of at most this many channels are cheaper to gather by patches than by pixels. */
const patchChannelsMax = 4;

/** What all nodes of a graph have in common. */
export interface GraphContext extends Pick<ForwardContext, 'isTraining' | 'assign' | 'addLoss'> {
  seed: number;
  random(like: Value, distribution: RandomDistribution, seed: number): Value;
}

/** Builds the layers of differentiable ops, choosing the fastest form of each stretch; gives the model's outputs. */
export function lower(
  model: Architecture,
  inputs: Value[],
  parametersOf: (layer: PlacedLayer) => Value[],
  context: GraphContext,
): Value[] {
  const fused = new Map<number, Value>();
  const trained = new Set<number>();
  return build(model, inputs, context, (node, x, nodeContext) => {
    const parameters = parametersOf(node.placed);
    const isImage = !node.inputs.some((input) => trained.has(input));
    if (!isImage || parameters.length > 0) trained.add(node.output);
    const done = fused.get(node.inputs[0]!);
    if (done) return done;
    const pooled = fuseConvolutionAndPooling(node, soleUser(model, node), x, parameters, isImage);
    if (pooled) fused.set(node.output, pooled);
    return pooled ?? node.placed.layer.forward(x, parameters, nodeContext);
  });
}

/** Builds the layers of ONNX's own operators; gives the model's outputs. */
export function inferLayers(
  model: Architecture,
  inputs: Value[],
  parametersOf: (layer: PlacedLayer) => Value[],
): Value[] {
  return build(model, inputs, inference, ({ placed }, x, context) =>
    placed.layer.infer(x, parametersOf(placed), context),
  );
}

/** Nothing is trained: no dropout, no assignments, and no loss to add to. */
export const inference: GraphContext = {
  isTraining: false,
  seed: 0,
  random() {
    throw new Error('Random numbers are for training');
  },
  assign: () => {},
  addLoss: () => {},
};

/** Gives every node its inputs and masks, in order. */
function build(
  model: Architecture,
  inputs: Value[],
  context: GraphContext,
  buildNode: (node: PlacedNode, x: Value, context: ForwardContext) => Value,
): Value[] {
  const values = [...inputs];
  const masks: (Value | undefined)[] = [];
  model.nodes.forEach((node, index) => {
    const { layer } = node.placed;
    const taken = node.inputs.map((input) => {
      const value = values[input]!;
      return layer.takesIntegers ? value : onnx.cast(value, 'float32');
    });
    const nodeMasks = node.inputs.map((input) => masks[input]);
    const random = randomOf(context, index);
    const nodeContext = { ...context, random, inputs: taken, masks: nodeMasks };
    values[node.output] = buildNode(node, taken[0]!, nodeContext);
    const { masking } = layer;
    masks[node.output] =
      masking === 'passes' ? nodeMasks.find((mask) => mask) : masking?.(taken[0]!, nodeContext);
  });
  return model.outputs.map(({ tensor }) => onnx.cast(values[tensor]!, 'float32'));
}

/** Each node, and each draw of a node, has a seed of its own. */
function randomOf(context: GraphContext, index: number): ForwardContext['random'] {
  let draws = 0;
  return (like, distribution) => {
    draws += 1;
    return context.random(like, distribution, context.seed + index + (draws - 1) * drawStride);
  };
}

/** More than a model has nodes. */
const drawStride = 100_003;

/** The one node that takes this node's output; undefined where there are several, or the model gives it out. */
function soleUser({ nodes, outputs }: Architecture, { output }: PlacedNode): PlacedNode | undefined {
  if (outputs.some(({ tensor }) => tensor === output)) return undefined;
  const users = nodes.filter(({ inputs }) => inputs.includes(output));
  return users.length === 1 ? users[0] : undefined;
}

/** Conv2D and the MaxPooling2D after it as one step, where the pooling's cells do not overlap and the activation
 * between them may come after. */
function fuseConvolutionAndPooling(
  { placed: { layer: convolution } }: PlacedNode,
  next: PlacedNode | undefined,
  x: Value,
  [kernel, bias]: Value[],
  isImage: boolean,
): Value | undefined {
  const pooling = next?.placed.layer;
  if (!(convolution instanceof Conv2D && pooling instanceof MaxPool2D)) return undefined;
  if (!convolution.canBeFused) return undefined;
  const [pool] = pooling.poolSize;
  const isCellwise = [...pooling.poolSize, ...pooling.strides].every((side) => side === pool);
  if (!isCellwise || pooling.padding !== 'valid') return undefined;
  const window = convolution.window(x.shape);
  const isSmallImage = isImage && (x.shape[3] as number) <= patchChannelsMax;
  const convolve = isSmallImage && canUsePatches(window, pool) ? patchConv2dMaxPool : conv2dMaxPool;
  return convolution.finish(convolve(x, kernel!, window, pool), bias);
}
