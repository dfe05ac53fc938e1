import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pod } from '../../api/kinds/pod.ts';
import type { Service } from '../../api/kinds/service.ts';
import { addressesMax, overCapacityAnnotation, plan, subsetsOf } from './plan.ts';

const service = (spec: object = {}): Service =>
  ({
    metadata: { name: 'web', namespace: 'default', labels: { team: 'a' } },
    spec: { selector: { app: 'web' }, ports: [{ name: 'http', port: 80, targetPort: 8080 }], ...spec },
  }) as Service;

const pod = (
  name: string,
  ip: string,
  more: { ready?: boolean; deleting?: boolean; phase?: string } = {},
): Pod =>
  ({
    metadata: {
      name,
      namespace: 'default',
      uid: `u-${name}`,
      ...(more.deleting && { deletionTimestamp: '2026-01-01T00:00:00Z' }),
    },
    spec: { nodeName: 'n1', containers: [{ name: 'main', ports: [{ name: 'web', containerPort: 9090 }] }] },
    status: {
      podIP: ip,
      phase: more.phase ?? 'Running',
      conditions: [{ type: 'Ready', status: more.ready === false ? 'False' : 'True' }],
    },
  }) as unknown as Pod;

const triggerTime = '2026-01-02T00:00:00Z';

test('pods that are ready and those that are not stand apart, with the ports of the Service', () => {
  const pods = [pod('b', '10.42.0.3', { ready: false }), pod('a', '10.42.0.2')];
  assert.deepEqual(subsetsOf(service(), pods), [
    {
      addresses: [
        {
          ip: '10.42.0.2',
          nodeName: 'n1',
          targetRef: { kind: 'Pod', namespace: 'default', name: 'a', uid: 'u-a' },
        },
      ],
      notReadyAddresses: [
        {
          ip: '10.42.0.3',
          nodeName: 'n1',
          targetRef: { kind: 'Pod', namespace: 'default', name: 'b', uid: 'u-b' },
        },
      ],
      ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
    },
  ]);
});

test('pods that end, have ended or have no address are not listed, unless unready ones are to be published', () => {
  const pods = [
    pod('a', '10.42.0.2', { deleting: true }),
    pod('b', '10.42.0.3', { phase: 'Succeeded' }),
    pod('c', ''),
  ];
  assert.deepEqual(subsetsOf(service(), pods), []);
  const [published] = subsetsOf(service({ publishNotReadyAddresses: true }), [
    pod('a', '10.42.0.2', { deleting: true, ready: false }),
  ]);
  assert.deepEqual(
    published?.addresses?.map(({ ip }) => ip),
    ['10.42.0.2'],
  );
});

test('beyond a thousand addresses the rest is left out, those that are not ready first, and an annotation says so', () => {
  const pods = Array.from({ length: 1_100 }, (_, index) =>
    pod(`p${index}`, `10.42.${index >> 8}.${index & 255}`, { ready: index >= 300 }),
  );
  const made = plan({ service: service(), pods, present: undefined, triggerTime })!;
  const [subset] = made.subsets!;
  assert.equal(subset!.addresses!.length, 800);
  assert.equal(subset!.notReadyAddresses!.length, addressesMax - 800);
  assert.equal(made.metadata!.annotations![overCapacityAnnotation], 'truncated');
  const allReady = plan({
    service: service(),
    pods: pods.map((one, index) => pod(one.metadata!.name!, `10.42.${index >> 8}.${index & 255}`)),
    present: made,
    triggerTime,
  })!;
  assert.equal(allReady.subsets![0]!.addresses!.length, addressesMax);
  assert.equal(allReady.subsets![0]!.notReadyAddresses, undefined);
  const few = plan({ service: service(), pods: pods.slice(0, 3), present: allReady, triggerTime })!;
  assert.equal(few.metadata!.annotations![overCapacityAnnotation], undefined);
});

test('what is listed already is not written again; labels follow the Service', () => {
  const pods = [pod('a', '10.42.0.2')];
  const made = plan({ service: service(), pods, present: undefined, triggerTime })!;
  assert.deepEqual(made.metadata!.labels, { team: 'a' });
  assert.equal(plan({ service: service(), pods, present: made, triggerTime }), undefined);
  const headless = plan({ service: service({ clusterIP: 'None' }), pods, present: made, triggerTime })!;
  assert.deepEqual(headless.metadata!.labels, { team: 'a', 'service.kubernetes.io/headless': '' });
});
