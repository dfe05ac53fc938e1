import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { InferenceService } from '../../api/kinds/inferenceService.ts';
import { withModel } from './legacy-model.ts';
import { refusalOf } from './refusal.ts';
import { storageOf } from './storage.ts';

type Predictor = NonNullable<InferenceService['spec']>['predictor'];
const onnx = { modelFormat: { name: 'onnx' }, storageUri: 'oci://m:1' };

function refusal(predictor: Predictor, more: object = {}, name = 'm'): string {
  const { reason, message } = refusalOf({ metadata: { name }, spec: { predictor, ...more } }) ?? {};
  return reason === undefined ? '' : `${reason}: ${message}`;
}

test('what is not offered is refused, with what is', () => {
  assert.equal(refusal({ model: onnx }), '');
  const format = { modelFormat: { name: 'onnx' } };
  assert.match(
    refusal({ model: { ...onnx, storage: { key: 'minio' } } }),
    /only one of storageUri and storage\.path/,
  );
  assert.match(refusal({ model: { ...format, storage: { key: 'minio' } } }), /storage\.path: Required value/);
  assert.equal(refusal({ model: { ...format, storage: { key: 'minio', path: 'iris' } } }), '');
  assert.match(refusal({}), /^InvalidPredictorSpec: spec.predictor.model: Required value/);
  assert.match(refusal({ model: onnx }, { transformer: {} }), /spec.transformer.containers: Required value/);
  assert.match(refusal({ model: onnx }, {}, 'm'.repeat(47)), /metadata.name: Too long: .*46/);
});

test('an image of one’s own may serve any format, with or without a model from storage', () => {
  const image = { modelFormat: { name: 'sklearn' }, image: 'my-server:1' };
  assert.equal(refusal({ model: image }), '');
  assert.equal(refusal({ model: { ...image, storageUri: 'oci://m:1' } }), '');
  assert.match(refusal({ model: { ...image, storageUri: 'hdfs://m' } }), /storageUri: Invalid value: "hdfs:/);
  assert.equal(refusal({ containers: [{ name: 'c', image: 'my-server:1' }] }), '');
});

test('the field of a server is the model in its older form', () => {
  const legacy = { metadata: { name: 'm' }, spec: { predictor: { onnx: { storageUri: 'oci://m:1' } } } };
  const { predictor } = withModel(legacy).spec!;
  assert.deepEqual(predictor, { model: onnx });
  assert.equal(withModel({ spec: { predictor: { model: onnx } } }).spec?.predictor.model, onnx);
  const sklearn = { sklearn: { storageUri: 'oci://m:1' }, minReplicas: 2 };
  assert.deepEqual(withModel({ spec: { predictor: sklearn } }).spec?.predictor, {
    model: { modelFormat: { name: 'sklearn' }, storageUri: 'oci://m:1' },
    minReplicas: 2,
  });
});

test('a storageUri leads to a volume, and what is wrong with one is said', () => {
  assert.deepEqual(storageOf('oci://models/m:1'), {
    volume: { name: 'model', image: { reference: 'models/m:1' } },
    reference: 'models/m:1',
  });
  assert.deepEqual(storageOf('pvc://claim/a/b'), {
    volume: { name: 'model', persistentVolumeClaim: { claimName: 'claim', readOnly: true } },
    subPath: 'a/b',
  });
  assert.deepEqual(storageOf('file:///srv/m'), {
    volume: { name: 'model', hostPath: { path: '/srv/m' } },
  });
  for (const wrong of ['oci://', 'pvc://', 'file://srv', 's3://', 'gs:///m', 'hdfs://b/m', 'm', ''])
    assert.match(String(storageOf(wrong)), /^must be oci:/, wrong);
});
