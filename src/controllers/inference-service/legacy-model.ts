import type { InferenceService } from '../../api/kinds/inferenceService.ts';

/** With its model in `model`, also where it was given in the older field of its server; KServe turns it so when it is stored. */
export function withModel(inference: InferenceService): InferenceService {
  const { onnx, ...predictor } = inference.spec?.predictor ?? {};
  if (!onnx || predictor.model) return inference;
  const model = { ...onnx, modelFormat: { name: 'onnx' } };
  return { ...inference, spec: { ...inference.spec, predictor: { ...predictor, model } } };
}
