import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { InferenceService, ModelSpec } from '../../api/kinds/inferenceService.ts';
import type { KindAddress, KubeObject } from '../../api/object.ts';
import { StatusError } from '../../base/errors.ts';
import type { Client } from '../../client/client.ts';
import { modelStorage } from './storage.ts';
import { storageAccess } from './storage-access.ts';

/** Objects by `Kind namespace/name`. */
class Objects {
  readonly all = new Map<string, KubeObject>();

  put(kind: string, name: string, object: object, namespace = 'ns'): this {
    this.all.set(`${kind} ${namespace}/${name}`, { metadata: { namespace, name }, ...object });
    return this;
  }

  secret(name: string, texts: Record<string, string>, annotations: Record<string, string> = {}): this {
    const data = Object.fromEntries(Object.entries(texts).map(([key, text]) => [key, btoa(text)]));
    return this.put('Secret', name, { data, metadata: { namespace: 'ns', name, annotations } });
  }

  account(name: string, ...secrets: string[]): this {
    return this.put('ServiceAccount', name, { secrets: secrets.map((each) => ({ name: each })) });
  }

  get client(): Client {
    const keep = async ({ kind }: KindAddress, object: KubeObject) => {
      const { name = '', namespace } = object.metadata ?? {};
      this.put(kind, name, object, namespace);
      return object;
    };
    const get = async ({ kind }: KindAddress, key: { namespace?: string; name: string }) => {
      const found = this.all.get(`${kind} ${key.namespace}/${key.name}`);
      if (!found) throw new StatusError('NotFound', 'none');
      return found;
    };
    // What is read here asks for no more of a client.
    return { get, create: keep, update: keep } as unknown as Client;
  }
}

function service(model: Partial<ModelSpec>, predictor: object = {}): InferenceService {
  const spec = { predictor: { model: { modelFormat: { name: 'onnx' }, ...model }, ...predictor } };
  return { metadata: { name: 'm', namespace: 'ns' }, spec };
}

/** What the init container is told, and what the pod may reach. */
async function fetching(objects: Objects, inference: InferenceService) {
  const access = await storageAccess(objects.client, inference);
  if (!access) return 'nothing is fetched';
  if ('reason' in access) return `${access.reason}: ${access.message}`;
  const { initContainer, egress, volumes } = modelStorage(inference, access)!;
  const env = initContainer!.env!.map(({ name, value, valueFrom }) => {
    const { name: secret, key } = valueFrom?.secretKeyRef ?? {};
    return `${name}=${value ?? `<${secret}/${key}>`}`;
  });
  return { env, egress, configMap: volumes?.[0]?.configMap?.name };
}

const keys = { awsAccessKeyID: 'minio', awsSecretAccessKey: 'minio123' };

// The Secret of https://kserve.github.io/website/docs/model-serving/storage/providers/s3.
test('a model in S3 is fetched with the Secret of its ServiceAccount, from the server that its annotations name', async () => {
  const annotations = {
    'serving.kserve.io/s3-endpoint': 'minio-service.kubeflow:9000',
    'serving.kserve.io/s3-usehttps': '0',
    'serving.kserve.io/s3-region': 'us-east-2',
  };
  const objects = new Objects()
    .secret('s3creds', keys, annotations)
    .account('sa', 's3creds')
    .account('default');
  const inference = service({ storageUri: 's3://mlpipeline/iris' }, { serviceAccountName: 'sa' });
  assert.deepEqual(await fetching(objects, inference), {
    env: [
      'STORAGE_URI=s3://mlpipeline/iris',
      'AWS_ACCESS_KEY_ID=<s3creds/awsAccessKeyID>',
      'AWS_SECRET_ACCESS_KEY=<s3creds/awsSecretAccessKey>',
      'S3_ENDPOINT=minio-service.kubeflow:9000',
      'AWS_ENDPOINT_URL=http://minio-service.kubeflow:9000',
      'S3_USE_HTTPS=0',
      'AWS_DEFAULT_REGION=us-east-2',
    ],
    egress: 'minio-service.kubeflow:9000',
    configMap: undefined,
  });
  assert.deepEqual(await fetching(objects, service({ storageUri: 's3://open/iris' })), {
    env: ['STORAGE_URI=s3://open/iris'],
    egress: 's3.us-east-1.amazonaws.com:443',
    configMap: undefined,
  });
  assert.deepEqual(await fetching(objects, service({ storageUri: 'gs://open/iris' })), {
    env: ['STORAGE_URI=gs://open/iris', 'AWS_ENDPOINT_URL=https://storage.googleapis.com'],
    egress: 'storage.googleapis.com:443',
    configMap: undefined,
  });
  assert.equal(await fetching(objects, service({ storageUri: 'oci://m:1' })), 'nothing is fetched');
});

test('a bucket may be a part of the host, and the server’s authority in a ConfigMap; none is trusted unseen', async () => {
  const prefix = 'serving.kserve.io/s3-';
  const annotations = {
    [`${prefix}endpoint`]: 'store.example',
    [`${prefix}usevirtualbucket`]: 'true',
    [`${prefix}cabundle-configmap`]: 'store-ca',
    [`${prefix}cabundle`]: '/etc/ssl/custom-certs/ca.pem',
  };
  const objects = new Objects().account('default', 's3creds').secret('s3creds', keys, annotations);
  const inference = service({ storageUri: 's3://models/iris' });
  const { env, ...rest } = (await fetching(objects, inference)) as { env: string[] };
  assert.deepEqual(rest, { egress: 'models.store.example:443', configMap: 'store-ca' });
  assert.equal(env.at(-1), 'CA_BUNDLE=/etc/ssl/custom-certs/ca.pem');
  objects.secret('s3creds', keys, { ...annotations, [`${prefix}verifyssl`]: '0' });
  assert.match(
    String(await fetching(objects, inference)),
    /s3-verifyssl: "0" is not offered: name a ConfigMap/,
  );
  objects.account('default', 'gone');
  assert.match(
    String(await fetching(objects, inference)),
    /^InvalidPredictorSpec: .*secrets "gone" not found/,
  );
});

test('headers for a host come from its Secret, and the authorities of the cluster’s settings are copied', async () => {
  const objects = new Objects().account('default', 'token').secret('token', {
    'https-host': 'models.example',
    headers: 'Authorization: Bearer x',
  });
  const uri = 'https://models.example/m.onnx';
  const told = await fetching(objects, service({ storageUri: uri }));
  assert.deepEqual(told, {
    env: [`STORAGE_URI=${uri}`, 'STORAGE_HEADERS=<token/headers>'],
    egress: 'models.example:443',
    configMap: undefined,
  });
  const settings = { storageInitializer: JSON.stringify({ caBundleConfigMapName: 'ours' }) };
  objects.put('ConfigMap', 'inferenceservice-config', { data: settings }, 'kserve');
  objects.put('ConfigMap', 'ours', { data: { 'cabundle.crt': 'PEM' } }, 'kserve');
  const { env, configMap } = (await fetching(
    objects,
    service({ storageUri: 'https://other.example/m' }),
  )) as {
    env: string[];
    configMap: string;
  };
  assert.deepEqual(env.slice(1), ['CA_BUNDLE=/etc/ssl/custom-certs/cabundle.crt']);
  assert.equal(configMap, 'global-ca-bundle');
  const copy = () => (objects.all.get('ConfigMap ns/global-ca-bundle') as { data: object }).data;
  assert.deepEqual(copy(), { 'cabundle.crt': 'PEM' });
  objects.put('ConfigMap', 'ours', { data: { 'cabundle.crt': 'NEW' } }, 'kserve');
  await fetching(objects, service({ storageUri: uri }));
  assert.deepEqual(copy(), { 'cabundle.crt': 'NEW' });
});

test('model.storage means an entry of a Secret, and its parameters come first', async () => {
  const place = { type: 's3', bucket: 'models', endpoint_url: 'http://minio:9000', cabundle_configmap: 'ca' };
  const objects = new Objects().secret('storage-config', {
    local: JSON.stringify(place),
    default: JSON.stringify({ ...place, bucket: 'others' }),
    broken: '{',
    azure: '{"type":"azure"}',
  });
  const of = (storage: ModelSpec['storage']) => fetching(objects, service({ storage }));
  assert.deepEqual(await of({ key: 'local', path: 'iris/v1' }), {
    env: [
      'STORAGE_URI=s3://models/iris/v1',
      'STORAGE_CONFIG=<storage-config/local>',
      'CA_BUNDLE=/etc/ssl/custom-certs/cabundle.crt',
    ],
    egress: 'minio:9000',
    configMap: 'ca',
  });
  const { env } = (await of({ path: 'iris', parameters: { bucket: 'mine' } })) as { env: string[] };
  assert.deepEqual(env.slice(0, 3), [
    'STORAGE_URI=s3://mine/iris',
    'STORAGE_CONFIG=<storage-config/default>',
    'STORAGE_OVERRIDE_CONFIG={"bucket":"mine"}',
  ]);
  assert.match(
    String(await of({ key: 'none', path: 'a' })),
    /specified storage key none not found in storage secret/,
  );
  assert.match(String(await of({ key: 'broken', path: 'a' })), /invalid json encountered in key broken/);
  assert.match(String(await of({ key: 'azure', path: 'a' })), /one of \[s3\]\. storage type \[azure\]/);
  const empty = new Objects();
  const asked = service({ storage: { path: 'a', parameters: { type: 's3' } } });
  assert.match(String(await fetching(empty, asked)), /requires a bucket/);
  assert.match(
    String(await fetching(empty, service({ storage: { path: 'a' } }))),
    /unable to determine storage type/,
  );
});
