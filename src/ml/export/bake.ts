import { decodeModel, encodeModel } from '../onnx/codec.ts';
import { externalLocation, type TensorProto } from '../onnx/schema.ts';
import { decodeSafetensors, findWeights } from './safetensors.ts';

/** Puts the weights θ into the graph f: a plain ONNX file that any onnxruntime runs, and runs faster, since it
 * lays out constant weights for the machine at hand.
 * @throws Error where the two do not belong together. */
export function bake(graph: Uint8Array, weights: Uint8Array): Uint8Array {
  const model = decodeModel(graph);
  const locations = decodeSafetensors(weights);
  const initializer = (model.graph?.initializer ?? []).map((tensor) => {
    if (tensor.dataLocation !== externalLocation) return tensor;
    const { dims = [], dataType, name = '' } = tensor;
    const { offset, length } = findWeights(locations, name, dims);
    return { dims, dataType, name, rawData: weights.subarray(offset, offset + length) } as TensorProto;
  });
  return encodeModel({ ...model, graph: { ...model.graph, initializer } });
}
