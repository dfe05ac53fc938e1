import type { InferenceService } from '../../api/kinds/inferenceService.ts';
import { storageOf } from './storage.ts';

/** Why a specification is not served; `reason` is one of KServe's for `modelStatus.lastFailureInfo`. */
export interface Refusal {
  reason: 'InvalidPredictorSpec' | 'NoSupportingRuntime' | 'RuntimeDisabled' | 'RuntimeNotRecognized';
  message: string;
  /** For conditions and events, where KServe's message leaves out what would help. */
  detail?: string;
}

/** The longest name of what is made, `<name>-predictor-canary`, has 63 characters. */
const nameCharsMax = 46;

/** What of a specification is not offered, in the API's form, if anything is. */
export function refusalOf({ spec, metadata }: InferenceService): Refusal | undefined {
  const { model, containers, scaleMetric, scaleTarget } = spec?.predictor ?? {};
  if ((metadata?.name ?? '').length > nameCharsMax)
    return invalid(`metadata.name: Too long: may not be more than ${nameCharsMax} characters`);
  if (scaleMetric === 'memory' && scaleTarget === undefined)
    return invalid('spec.predictor.scaleTarget: Required value: the percentage of the requested memory');
  for (const name of ['transformer', 'explainer'] as const) {
    if (spec?.[name] && !spec[name].containers?.length)
      return invalid(`spec.${name}.containers: Required value: it runs as an ordinary pod`);
  }
  const { logger } = spec?.predictor ?? {};
  if (logger && !/^https?:$/.test(URL.parse(logger.url ?? '')?.protocol ?? ''))
    return invalid(
      `spec.predictor.logger.url: Invalid value: "${logger.url ?? ''}": must be an http:// or https:// URL`,
    );
  if (model) return refusalOfModel(model);
  return containers?.length
    ? undefined
    : invalid('spec.predictor.model: Required value: name the model format and the storageUri');
}

type Model = NonNullable<NonNullable<InferenceService['spec']>['predictor']['model']>;

function refusalOfModel({ image, storage, storageUri }: Model): Refusal | undefined {
  const at = 'spec.predictor.model';
  if (storage && storageUri !== undefined)
    return invalid(`${at}: must provide only one of storageUri and storage.path`);
  if (storage) return storage.path ? undefined : invalid(`${at}.storage.path: Required value`);
  if (storageUri === undefined && image) return undefined;
  const read = storageOf(storageUri ?? '');
  return typeof read === 'string'
    ? invalid(`${at}.storageUri: Invalid value: "${storageUri ?? ''}": ${read}`)
    : undefined;
}

export function invalid(message: string): Refusal {
  return { reason: 'InvalidPredictorSpec', message };
}
