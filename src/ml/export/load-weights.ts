import type { Sequential } from '../sequential.ts';
import { decodeSafetensors, findWeights } from './safetensors.ts';

/** Sets a model's weights from a safetensors file θ, as `exportModel` wrote it.
 * @throws Error where the file is of another model; the weights stay as they were. */
export function loadWeights(model: Sequential, bytes: Uint8Array): void {
  const locations = decodeSafetensors(bytes);
  const weights = new Float32Array(model.architecture.parameterCount);
  for (const { name, shape, offset } of model.architecture.layers.flatMap((layer) => layer.parameters)) {
    const found = findWeights(locations, name, shape);
    // A copy; slice() of a Buffer is none.
    const values = new Uint8Array(bytes.subarray(found.offset, found.offset + found.length));
    weights.set(new Float32Array(values.buffer), offset);
  }
  model.weights = weights;
}
