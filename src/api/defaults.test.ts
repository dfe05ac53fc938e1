import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaults } from './defaults.ts';
import { deployment } from './kinds/deployment.ts';
import { pod } from './kinds/pod.ts';
import { secret } from './kinds/secret.ts';
import { service } from './kinds/service.ts';
import { defaultPullPolicy } from './parts/imageReference.ts';

const container = { name: 'web', image: 'nginx:1.27' };

test('a pod gets the defaults that Kubernetes documents', () => {
  const filled = defaults(pod, {
    spec: {
      containers: [
        {
          ...container,
          ports: [{ containerPort: 80 }],
          readinessProbe: { httpGet: { port: 80 } },
          resources: { limits: { cpu: '1', memory: '1Gi' }, requests: { cpu: '500m' } },
          env: [{ name: 'NODE', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } }],
        },
      ],
      volumes: [
        { name: 'a' },
        { name: 'b', secret: { secretName: 's' } },
        { name: 'c', image: { reference: 'm:1' } },
      ],
      serviceAccount: 'robot',
    },
  });
  assert.deepEqual(filled.spec, {
    containers: [
      {
        ...container,
        imagePullPolicy: 'IfNotPresent',
        ports: [{ containerPort: 80, protocol: 'TCP' }],
        readinessProbe: {
          httpGet: { port: 80, path: '/', scheme: 'HTTP' },
          periodSeconds: 10,
          timeoutSeconds: 1,
          successThreshold: 1,
          failureThreshold: 3,
        },
        resources: { limits: { cpu: '1', memory: '1Gi' }, requests: { cpu: '500m', memory: '1Gi' } },
        env: [{ name: 'NODE', valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: 'spec.nodeName' } } }],
        terminationMessagePath: '/dev/termination-log',
        terminationMessagePolicy: 'File',
      },
    ],
    volumes: [
      { name: 'a', emptyDir: {} },
      { name: 'b', secret: { secretName: 's', defaultMode: 420 } },
      { name: 'c', image: { reference: 'm:1', pullPolicy: 'IfNotPresent' } },
    ],
    serviceAccount: 'robot',
    serviceAccountName: 'robot',
    restartPolicy: 'Always',
    terminationGracePeriodSeconds: 30,
    dnsPolicy: 'ClusterFirst',
    schedulerName: 'default-scheduler',
    securityContext: {},
    enableServiceLinks: true,
  });
});

test('images with a moving tag are always pulled, others once', () => {
  const table = {
    nginx: 'Always',
    'nginx:latest': 'Always',
    'host:5000/nginx': 'Always',
    'nginx:1': 'IfNotPresent',
    'nginx@sha256:aa': 'IfNotPresent',
    'nginx:latest@sha256:aa': 'Always',
  };
  for (const [image, policy] of Object.entries(table)) assert.equal(defaultPullPolicy(image), policy, image);
});

test('a deployment gets its rolling update; Recreate gets none', () => {
  const selector = { matchLabels: { app: 'web' } };
  const template = { metadata: { labels: { app: 'web' } }, spec: { containers: [container] } };
  const {
    template: filled,
    selector: _,
    ...rest
  } = defaults(deployment, { spec: { selector, template } }).spec!;
  assert.deepEqual(rest, {
    replicas: 1,
    strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' } },
    revisionHistoryLimit: 10,
    progressDeadlineSeconds: 600,
  });
  assert.equal(filled.spec?.restartPolicy, 'Always');
  assert.equal(filled.spec?.enableServiceLinks, undefined, 'only pods get that, not templates');
  const recreate = defaults(deployment, { spec: { selector, template, strategy: { type: 'Recreate' } } });
  assert.deepEqual(recreate.spec?.strategy, { type: 'Recreate' });
});

test('a service gets the defaults of its type', () => {
  const ports = [{ port: 80 }];
  assert.deepEqual(defaults(service, { spec: { ports } }).spec, {
    ports: [{ port: 80, protocol: 'TCP', targetPort: 80 }],
    type: 'ClusterIP',
    internalTrafficPolicy: 'Cluster',
    sessionAffinity: 'None',
  });
  const balanced = defaults(service, { spec: { ports, type: 'LoadBalancer', sessionAffinity: 'ClientIP' } })
    .spec!;
  assert.equal(balanced.externalTrafficPolicy, 'Cluster');
  assert.equal(balanced.allocateLoadBalancerNodePorts, true);
  assert.deepEqual(balanced.sessionAffinityConfig, { clientIP: { timeoutSeconds: 10800 } });
});

test("a secret's texts become data, and win over it", () => {
  const filled = defaults(secret, { data: { a: 'eA==', b: 'eA==' }, stringData: { a: 'new' } });
  assert.deepEqual(filled, { data: { a: 'bmV3', b: 'eA==' }, type: 'Opaque' });
});

test('what is set stays, and the given object is not changed', () => {
  const given = {
    spec: {
      containers: [{ ...container, imagePullPolicy: 'Never' as const }],
      terminationGracePeriodSeconds: 0,
    },
  };
  const before = structuredClone(given);
  const filled = defaults(pod, given);
  assert.equal(filled.spec?.terminationGracePeriodSeconds, 0);
  assert.equal(filled.spec?.containers[0]?.imagePullPolicy, 'Never');
  assert.deepEqual(given, before);
});
