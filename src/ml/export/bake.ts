import { decodeModel, encodeModel } from '../onnx/codec.ts';
import { externalLocation, type TensorProto } from '../onnx/schema.ts';
import { decodeSafetensors, type TensorLocation } from './safetensors.ts';

/** Puts the weights θ into the graph f: a plain ONNX file that any onnxruntime runs, and runs faster, since it
 * lays out constant weights for the machine at hand.
 * @throws Error where the two do not belong together. */
export function bake(graph: Uint8Array, weights: Uint8Array): Uint8Array {
  const model = decodeModel(graph);
  const locations = decodeSafetensors(weights);
  const initializer = (model.graph?.initializer ?? []).map((tensor) => {
    if (tensor.dataLocation !== externalLocation) return tensor;
    const { dims = [], dataType, name } = tensor;
    const { offset, length } = find(tensor, locations);
    return { dims, dataType, name, rawData: weights.subarray(offset, offset + length) } as TensorProto;
  });
  return encodeModel({ ...model, graph: { ...model.graph, initializer } });
}

function find({ name = '', dims = [] }: TensorProto, locations: Map<string, TensorLocation>): TensorLocation {
  const found = locations.get(name);
  if (!found) {
    const names = [...locations.keys()].join(', ');
    throw new Error(
      `The graph needs weights "${name}", the weights file has ${names}: are they of one model?`,
    );
  }
  if (found.dtype !== 'F32' || found.shape.join() !== dims.join()) {
    throw new Error(
      `The graph needs "${name}" as F32 [${dims.join(', ')}], the weights file has it as ` +
        `${found.dtype} [${found.shape.join(', ')}]: are they of one model?`,
    );
  }
  return found;
}
