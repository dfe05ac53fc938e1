import { type InferenceService, serverFields } from '../../api/kinds/inferenceService.ts';

/** With its model in `model`, also where it was given in the older field of its server; KServe turns it so when it is stored. */
export function withModel(inference: InferenceService): InferenceService {
  const { predictor } = inference.spec ?? {};
  const field = serverFields.find((each) => predictor?.[each]);
  if (!predictor || !field || predictor.model) return inference;
  const { [field]: legacy, ...others } = predictor;
  const model = { ...legacy!, modelFormat: { name: field } };
  return { ...inference, spec: { ...inference.spec, predictor: { ...others, model } } };
}
