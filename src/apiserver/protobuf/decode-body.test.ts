import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeProtobufBody } from './decode-body.ts';

const text = (number: number, value: string) => message(number, Buffer.from(value));

function message(number: number, ...parts: Uint8Array[]): Buffer {
  const body = Buffer.concat(parts);
  return Buffer.concat([varint((number << 3) | 2), varint(body.length), body]);
}

const integer = (number: number, value: number) => Buffer.concat([varint(number << 3), varint(value)]);

function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Buffer.from([...bytes, rest]);
    bytes.push((rest % 128) | 0x80);
  }
}

const body = (apiVersion: string, kind: string, ...raw: Uint8Array[]) =>
  Buffer.concat([Buffer.from('k8s\0'), message(1, text(1, apiVersion), text(2, kind)), message(2, ...raw)]);

test('what kubectl 1.32 sends for a config map is read', () => {
  // Recorded from `kubectl create configmap a --from-literal=x=y`.
  const sent = Buffer.from(
    '6b3873000a0f0a0276311209436f6e6669674d6170121b0a110a016112001a0022002a0032003800420012060a01781201791a002200',
    'hex',
  );
  assert.deepEqual(decodeProtobufBody(sent), {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'a' },
    data: { x: 'y' },
  });
});

test('a zero that was meant is kept, one that only fills a field is not', () => {
  const container = message(2, text(1, 'main'), message(6, integer(2, 0), integer(3, 80)));
  const template = message(3, message(2, container, integer(4, 0), integer(11, 0)));
  const sent = body('apps/v1', 'Deployment', message(2, integer(1, 0), template, integer(5, 0)));
  assert.deepEqual(decodeProtobufBody(sent), {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    spec: {
      replicas: 0,
      template: {
        spec: {
          containers: [{ name: 'main', ports: [{ containerPort: 80 }] }],
          terminationGracePeriodSeconds: 0,
        },
      },
    },
  });
});

test('messages that JSON has inline, quantities, times, bytes and numbers-or-texts are read', () => {
  const volume = message(1, text(1, 'data'), message(2, message(19, message(1, text(1, 'settings')))));
  const probe = message(
    11,
    message(1, message(2, text(1, '/ready'), message(2, integer(1, 1), text(3, 'http')))),
  );
  const limits = message(8, message(1, text(1, 'cpu'), message(2, text(1, '250m'))));
  const sent = body(
    'v1',
    'Pod',
    message(1, text(1, 'p'), message(8, integer(1, 1_700_000_000))),
    message(2, volume, message(2, text(1, 'main'), limits, probe)),
  );
  assert.deepEqual(decodeProtobufBody(sent), {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p', creationTimestamp: '2023-11-14T22:13:20Z' },
    spec: {
      volumes: [{ name: 'data', configMap: { name: 'settings' } }],
      containers: [
        {
          name: 'main',
          resources: { limits: { cpu: '250m' } },
          readinessProbe: { httpGet: { path: '/ready', port: 'http' } },
        },
      ],
    },
  });
  const secret = body('v1', 'Secret', message(2, text(1, 'key'), message(2, Buffer.from([0, 255]))));
  assert.deepEqual((decodeProtobufBody(secret) as { data?: object }).data, { key: 'AP8=' });
});

test('bytes that are no protobuf are a bad request, whatever they are', () => {
  const whole = body('v1', 'ConfigMap', message(1, text(1, 'a')), message(2, text(1, 'x'), text(2, 'y')));
  for (let length = 0; length < whole.length; length++) {
    try {
      decodeProtobufBody(whole.subarray(0, length));
    } catch (error) {
      assert.equal((error as { reason?: string }).reason, 'BadRequest', `cut at ${length}: ${error}`);
    }
  }
  assert.throws(() => decodeProtobufBody(Buffer.from('{}')), { reason: 'BadRequest' });
  assert.throws(() => decodeProtobufBody(body('v9', 'Mystery')), /could not find the requested resource/);
});
