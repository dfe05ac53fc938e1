import { type ModelSettings, noSettings } from './model-folder.ts';
import type { Session } from './session.ts';
import { addedOutputs } from './steps/postprocess.ts';

export interface ServedModel {
  name: string;
  version: string;
  /** Class names by output index, if the model has them. */
  labels: string[] | undefined;
  session: Session;
  settings?: ModelSettings;
  /** The newer files that could not be loaded, so that this one goes on. */
  refused?: RefusedFiles | undefined;
}

export interface RefusedFiles {
  message: string;
  /** SHA-256 of θ among them, if it could be read. */
  weights?: string | undefined;
}

export function settingsOf(model: ServedModel): ModelSettings {
  return model.settings ?? noSettings;
}

/** Whether the model may be sent encoded images instead of its tensor. */
export function takesImages(model: ServedModel): boolean {
  return model.settings?.preprocess[0]?.op === 'decode';
}

/** The model's outputs, and those that its steps add. */
export function outputsOf(model: ServedModel) {
  const { settings, session } = model;
  if (!settings || settings.postprocess.length === 0) return session.outputs;
  return [...session.outputs, ...addedOutputs(settings.postprocess, session.outputs)];
}

/** The answer of the protocol's model metadata. */
export function describeModel(model: ServedModel) {
  const { name, version, labels, session, refused } = model;
  const { preprocess, postprocess, weightsDigest } = settingsOf(model);
  const parameters = {
    ...(labels && { labels }),
    ...(preprocess.length > 0 && { preprocess }),
    ...(postprocess.length > 0 && { postprocess }),
    ...(takesImages(model) && { accepts: ['image/jpeg', 'image/png'] }),
    ...(weightsDigest && { weights: weightsDigest }),
    ...(refused && { refused }),
  };
  return {
    name,
    versions: [version],
    platform: 'onnx_onnxv1',
    inputs: session.inputs,
    outputs: outputsOf(model),
    ...(Object.keys(parameters).length > 0 && { parameters }),
  };
}
