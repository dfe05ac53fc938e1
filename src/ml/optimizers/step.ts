import type { Value } from '../graph.ts';
import * as onnx from '../primitives.ts';
import type { BeforeUpdate, Optimizer, Update } from './optimizer.ts';

/** One step of an optimizer from the gradient of each parameter, flat: clips them, lets weights decay, updates.
 * The order is Keras'. */
export function optimizerStep(
  optimizer: Optimizer,
  { gradients, ...update }: Omit<Update, 'gradient'> & { gradients: Value[] },
): ReturnType<Optimizer['update']> {
  const { before = {} } = optimizer;
  const gradient = onnx.concat(clip(gradients, before), 0);
  return optimizer.update({ ...update, weights: decay(update, before), gradient });
}

function decay({ weights, learningRate }: Omit<Update, 'gradient'>, { weightDecay }: BeforeUpdate): Value {
  if (!weightDecay) return weights;
  const { graph } = weights;
  const kept = onnx.sub(graph.constant(1), onnx.mul(learningRate, graph.constant(weightDecay)));
  return onnx.mul(weights, kept);
}

function clip(gradients: Value[], { clipnorm, clipvalue, globalClipnorm }: BeforeUpdate): Value[] {
  const { graph } = gradients[0]!;
  if (clipvalue !== undefined) {
    const [low, high] = [graph.constant(-clipvalue), graph.constant(clipvalue)];
    return gradients.map((gradient) => onnx.min(onnx.max(gradient, low), high));
  }
  if (clipnorm !== undefined) {
    return gradients.map((gradient) => onnx.mul(gradient, shortening([gradient], clipnorm)));
  }
  if (globalClipnorm === undefined) return gradients;
  const factor = shortening(gradients, globalClipnorm);
  return gradients.map((gradient) => onnx.mul(gradient, factor));
}

/** The factor that brings a longer vector to the norm, and is 1 for a shorter one (Pascanu et al., 2013). */
function shortening(parts: Value[], norm: number): Value {
  const { graph } = parts[0]!;
  const squares = parts.map((part) => onnx.reduceSum(onnx.mul(part, part), 0));
  const length = onnx.sqrt(onnx.sum(squares));
  return onnx.div(graph.constant(norm), onnx.max(length, graph.constant(norm)));
}
