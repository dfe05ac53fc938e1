import { type QuantizeOptions, quantizeWith } from '../quantize/quantize.ts';
import type { Sequential } from '../sequential.ts';
import { nodeRuntime } from './onnxruntime.ts';

/** A model, or a whole ONNX file (opset 13 or newer), with 8-bit weights and integer arithmetic, as an ONNX file. With
 * a calibration set convolutions too are computed in 8 bits.
 * @throws Error where nothing in the model can be quantised, or its weights are in another file. */
export const quantize = (
  model: Sequential | Uint8Array,
  options: QuantizeOptions = {},
): Promise<Uint8Array> => quantizeWith(nodeRuntime, model, options);
