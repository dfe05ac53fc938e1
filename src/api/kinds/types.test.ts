import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject } from '../object.ts';
import { kinds } from './index.ts';
import type { Pod } from './pod.ts';

const pod: Pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web', labels: { app: 'web' } },
  spec: {
    containers: [
      {
        name: 'web',
        image: 'nginx:1.27',
        ports: [{ containerPort: 80, protocol: 'TCP' }],
        readinessProbe: { httpGet: { path: '/', port: 'http' } },
        resources: { requests: { cpu: '100m' } },
      },
    ],
    restartPolicy: 'Always',
  },
};

test('a pod literal is a KubeObject, and mistakes in one do not compile', () => {
  const object: KubeObject = pod;
  const phase: 'Pending' | 'Running' | 'Succeeded' | 'Failed' | 'Unknown' | undefined = pod.status?.phase;
  const image: string | undefined = pod.spec?.containers[0]?.image;
  // @ts-expect-error: a container needs a name.
  const nameless: Pod = { spec: { containers: [{ image: 'nginx' }] } };
  // @ts-expect-error: no such field.
  const typo: Pod = { spec: { containers: [], restartPolicie: 'Always' } };
  // @ts-expect-error: no such value.
  const value: Pod = { spec: { containers: [], restartPolicy: 'Sometimes' } };
  // @ts-expect-error: a port is a number.
  const port: Pod = { spec: { containers: [{ name: 'a', ports: [{ containerPort: '80' }] }] } };
  assert.ok([object, nameless, typo, value, port].every((each) => typeof each === 'object'));
  assert.deepEqual([phase, image], [undefined, 'nginx:1.27']);
});

test('every kind has a plural of its own in its version and a schema with metadata', () => {
  assert.ok(kinds.length >= 14);
  const places = new Set(kinds.map(({ group, version, plural }) => `${group}/${version}/${plural}`));
  assert.equal(places.size, kinds.length);
  for (const kind of kinds) assert.equal(kind.schema.fields?.metadata?.type, 'object', kind.kind);
});
