import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaults } from '../defaults.ts';
import { validate } from '../validate.ts';
import { type InferenceService, inferenceService } from './inferenceService.ts';

type Predictor = NonNullable<InferenceService['spec']>['predictor'];

function problems(predictor: Predictor): string[] {
  const object: InferenceService = { metadata: { name: 'm', namespace: 'default' }, spec: { predictor } };
  return validate(inferenceService, defaults(inferenceService, object)).map(
    ({ field, message }) => `${field}: ${message}`,
  );
}

test('the older fields of servers are taken, one at a time', () => {
  const storageUri = 'gs://kfserving-examples/models/sklearn/1.0/model';
  for (const name of ['sklearn', 'tensorflow', 'xgboost', 'pytorch', 'triton', 'huggingface'])
    assert.deepEqual(problems({ [name]: { storageUri } } as Predictor), [], name);
  assert.deepEqual(problems({ sklearn: { storageUri }, xgboost: { storageUri } }), [
    'spec.predictor.xgboost: Forbidden: may not be set beside `sklearn`',
  ]);
});

test('a predictor has a model in one field, with its place, or containers', () => {
  assert.deepEqual(problems({ onnx: { storageUri: 'oci://m:1' } }), []);
  assert.match(problems({})[0] ?? '', /^spec\.predictor\.model: Required value/);
  assert.match(problems({ onnx: {} })[0] ?? '', /^spec\.predictor\.onnx\.storageUri: Required value/);
  const model = { modelFormat: { name: 'onnx' }, storageUri: 'oci://m:1' };
  assert.match(
    problems({ model, onnx: { storageUri: 'oci://m:1' } })[0] ?? '',
    /^spec\.predictor\.onnx: Forbidden/,
  );
  assert.match(
    problems({ model, canaryTrafficPercent: 101 })[0] ?? '',
    /canaryTrafficPercent: Invalid value: 101/,
  );
});
