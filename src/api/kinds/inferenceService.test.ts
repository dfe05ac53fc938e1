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

test('a field of a server that there is none of is refused, with what is supported', () => {
  for (const name of ['sklearn', 'tensorflow', 'xgboost', 'pytorch', 'triton', 'huggingface']) {
    const predictor = { [name]: { storageUri: 'gs://kfserving-examples/models/sklearn/1.0/model' } };
    const [problem, ...others] = problems(predictor as Predictor);
    assert.match(
      problem ?? '',
      new RegExp(
        `^spec\\.predictor\\.${name}: Forbidden: there is no such server here: supported are .model.`,
      ),
    );
    assert.deepEqual(others, []);
  }
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
