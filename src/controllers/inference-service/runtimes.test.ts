import assert from 'node:assert/strict';
import { test } from 'node:test';
import { builtInRuntime } from '../../api/kinds/clusterServingRuntime.ts';
import type { InferenceService, ModelSpec } from '../../api/kinds/inferenceService.ts';
import type { ServingRuntimeSpec } from '../../api/parts/servingRuntime.ts';
import { plan } from './plan.ts';
import { type ChosenRuntime, isRefusal, runtimeOf } from './runtimes.ts';
import { withRuntime } from './with-runtime.ts';

const container = { name: 'kserve-container', image: 'server:1' };

function runtime(name: string, more: Partial<ServingRuntimeSpec> = {}, creationTimestamp = '') {
  const supportedModelFormats = [{ name: 'sklearn', version: '1', autoSelect: true }];
  const metadata = { name, creationTimestamp };
  return { metadata, spec: { supportedModelFormats, containers: [container], ...more } };
}

function service(model: Partial<ModelSpec>, predictor: object = {}): InferenceService {
  const whole = { modelFormat: { name: 'sklearn' }, storageUri: 'oci://m:1', ...model };
  const metadata = { name: 'm', namespace: 'ns', labels: { tier: 'gold' } };
  return { metadata, spec: { predictor: { model: whole, ...predictor } } };
}

type Of = ReturnType<typeof runtime>[];

/** The name of the runtime that is chosen, or why there is none. */
function chosen(model: Partial<ModelSpec>, { own = [], cluster = [] }: { own?: Of; cluster?: Of }): string {
  const found = runtimeOf(service(model), { own, cluster: [builtInRuntime, ...cluster] });
  if (!found) return 'none';
  return isRefusal(found)
    ? `${found.reason}: ${found.message}`
    : `${found.name}${found.isCluster ? '*' : ''}`;
}

test('a model gets the runtime of the highest priority that may be given to its format', () => {
  const of = (priority: number) => ({
    supportedModelFormats: [{ name: 'sklearn', version: '1', autoSelect: true, priority }],
  });
  assert.equal(chosen({ modelFormat: { name: 'onnx' } }, {}), 'selvage-onnx*');
  assert.equal(chosen({ modelFormat: { name: 'onnx', version: '1' } }, {}), 'selvage-onnx*');
  assert.equal(chosen({}, { cluster: [runtime('a', of(1)), runtime('b', of(2)), runtime('c')] }), 'b*');
  assert.equal(chosen({}, { own: [runtime('mine')], cluster: [runtime('a', of(9))] }), 'mine');
  const [old, young] = [runtime('a', {}, '2026-01-01T00:00:00Z'), runtime('b', {}, '2026-02-01T00:00:00Z')];
  assert.equal(chosen({}, { cluster: [old, young] }), 'b*');
  assert.equal(chosen({}, { cluster: [old, runtime('c', {}, '2026-01-01T00:00:00Z')] }), 'a*');
});

test('where no runtime supports a model, it says so in the words of KServe, and what there is', () => {
  const none = 'NoSupportingRuntime: No runtime found to support specified framework/version';
  assert.equal(chosen({}, {}), none);
  for (const more of [
    { disabled: true },
    { multiModel: true },
    { workerSpec: {} },
    { protocolVersions: ['v2'] },
    { supportedModelFormats: [{ name: 'sklearn' }] },
  ])
    assert.equal(chosen({}, { cluster: [runtime('a', more)] }), none, JSON.stringify(more));
  assert.equal(
    chosen({ protocolVersion: 'v2' }, { cluster: [runtime('a', { protocolVersions: ['v2'] })] }),
    'a*',
  );
  assert.equal(chosen({ modelFormat: { name: 'sklearn', version: '2' } }, { cluster: [runtime('a')] }), none);
  assert.equal(chosen({ modelFormat: { name: 'onnx' }, protocolVersion: 'v3' }, {}), none);
  assert.equal(chosen({ image: 'mine:1' }, {}), 'none', 'an image serves what it likes');
  const found = runtimeOf(service({}), { own: [], cluster: [builtInRuntime] });
  assert.match(
    (found as { detail: string }).detail,
    /no runtime found to support predictor with model type: \{sklearn\} and protocol v1; there is one for: onnx 1\./,
  );
});

test('a runtime that is named is taken also where it would not be given, but must be there and support the model', () => {
  const hidden = runtime('a', { supportedModelFormats: [{ name: 'sklearn' }], multiModel: true });
  assert.equal(chosen({ runtime: 'a' }, { cluster: [hidden] }), 'a*');
  assert.equal(chosen({ runtime: 'a' }, { own: [runtime('a')], cluster: [hidden] }), 'a');
  assert.equal(chosen({ runtime: 'b' }, {}), 'RuntimeNotRecognized: Waiting for runtime to become available');
  assert.equal(
    chosen({ runtime: 'a' }, { cluster: [runtime('a', { disabled: true })] }),
    'RuntimeDisabled: Specified runtime is disabled',
  );
  const unsupported = 'NoSupportingRuntime: Specified runtime does not support specified';
  assert.equal(chosen({ runtime: 'selvage-onnx' }, {}), `${unsupported} framework/version`);
  assert.equal(
    chosen({ runtime: 'selvage-onnx', modelFormat: { name: 'onnx' }, protocolVersion: 'grpc-v1' }, {}),
    `${unsupported} protocol version`,
  );
});

function podsOf(inference: InferenceService, spec: Partial<ServingRuntimeSpec>) {
  const found: ChosenRuntime = { name: 'r', isCluster: true, spec: { containers: [container], ...spec } };
  const made = withRuntime(inference, found);
  if (isRefusal(made)) throw new Error(`${made.message}; ${made.detail}`);
  return plan(made, {}, { model: undefined, replicas: 1 });
}

test('a pod has what its runtime says, and before that what the model and the predictor say', () => {
  const own = {
    ...container,
    args: ['--model_name={{.Name}}', '--tier={{ .Labels.tier }}{{.Labels.none}}'],
    env: [
      { name: 'WORKERS', value: '1' },
      { name: 'SPACE', value: '{{.Namespace}}' },
    ],
    resources: { requests: { cpu: '1' } },
    ports: [{ containerPort: 9000, protocol: 'TCP' as const }],
  };
  const { deployments, services } = podsOf(
    service({ args: ['--more'], env: [{ name: 'WORKERS', value: '2' }] }, { nodeSelector: { disk: 'fast' } }),
    {
      containers: [own, { name: 'beside', image: 'beside:1' }],
      nodeSelector: { arch: 'arm64' },
      labels: { from: 'runtime' },
      annotations: { 'prometheus.io/port': '9000' },
    },
  );
  const { metadata, spec } = deployments[0]!.spec!.template;
  const [first, beside] = spec!.containers;
  assert.deepEqual(first!.args, ['--model_name=m', '--tier=gold', '--more']);
  const env = Object.fromEntries(first!.env!.map(({ name, value }) => [name, value]));
  assert.deepEqual(env, { MODEL_NAME: 'm', WORKERS: '2', SPACE: 'ns' });
  assert.deepEqual([first!.name, first!.image, first!.resources], [own.name, own.image, own.resources]);
  assert.deepEqual(first!.readinessProbe, { tcpSocket: { port: 9000 } });
  assert.deepEqual(first!.volumeMounts?.[0]?.mountPath, '/mnt/models');
  assert.equal(beside!.image, 'beside:1');
  assert.deepEqual(spec!.nodeSelector, { arch: 'arm64', disk: 'fast' });
  assert.equal(metadata?.labels?.from, 'runtime');
  assert.equal(metadata?.annotations?.['prometheus.io/port'], '9000');
  assert.equal(services[0]!.spec?.ports?.[0]?.targetPort, 9000);
});

test('the built-in runtime makes the pod that a model without one would have', () => {
  const inference = service({ modelFormat: { name: 'onnx' } });
  assert.deepEqual(
    podsOf(inference, builtInRuntime.spec),
    plan(inference, {}, { model: undefined, replicas: 1 }),
  );
});

test('a runtime without the container, or with a placeholder of nothing, serves nothing', () => {
  const other = { containers: [{ name: 'main', image: 'server:1' }] };
  assert.throws(
    () => podsOf(service({}), other),
    /^Error: no container configuration found .* no container "kserve-container"/,
  );
  const unknown = { containers: [{ ...container, args: ['{{.Spec.Predictor}}'] }] };
  assert.throws(
    () => podsOf(service({}), unknown),
    /^Error: failed to replace placeholders in serving runtime r Container kserve-container; .*no "\.Spec\.Predictor"/,
  );
});
