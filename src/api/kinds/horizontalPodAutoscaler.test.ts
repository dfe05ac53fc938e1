import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaults } from '../defaults.ts';
import type { KubeObject } from '../object.ts';
import { toTable } from '../table.ts';
import { validate } from '../validate.ts';
import { type HorizontalPodAutoscaler, horizontalPodAutoscaler } from './horizontalPodAutoscaler.ts';

const metadata = { name: 'web', namespace: 'default', creationTimestamp: '2026-01-01T00:00:00Z' };
const scaleTargetRef = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' };
// The table holds what the types would refuse, too.
const autoscaler = (spec: object, status?: object) =>
  ({
    metadata,
    spec: { scaleTargetRef, maxReplicas: 3, ...spec },
    status,
  }) as KubeObject as HorizontalPodAutoscaler;
const cpu = (target: object) => ({ type: 'Resource', resource: { name: 'cpu', target } });
const utilization = { type: 'Utilization', averageUtilization: 50 };

test('an autoscaler is validated in the words of Kubernetes', () => {
  const policies = [{ type: 'Pods', value: 1, periodSeconds: 60 }];
  const behavior = (scaleUp: object) => ({ behavior: { scaleUp } });
  const table: [object, string | undefined][] = [
    [{}, undefined],
    [{ metrics: [cpu(utilization)] }, undefined],
    [
      { maxReplicas: 0 },
      'spec.maxReplicas: Invalid value: 0: must be greater than 0\n' +
        'spec.maxReplicas: Invalid value: 0: must be greater than or equal to `minReplicas`',
    ],
    [{ minReplicas: 0 }, 'spec.minReplicas: Invalid value: 0: must be greater than or equal to 1'],
    [
      { minReplicas: 4 },
      'spec.maxReplicas: Invalid value: 3: must be greater than or equal to `minReplicas`',
    ],
    [{ scaleTargetRef: { name: 'web' } }, 'spec.scaleTargetRef.kind: Required value'],
    [{ scaleTargetRef: { kind: 'Deployment' } }, 'spec.scaleTargetRef.name: Required value'],
    [
      { metrics: [{ type: 'Resource' }] },
      'spec.metrics[0].resource: Required value: must populate information for the given metric source',
    ],
    [
      { metrics: [cpu({ type: 'Utilization' })] },
      'spec.metrics[0].resource.target.averageUtilization: Required value: must set either a target raw value or a target utilization',
    ],
    [
      { metrics: [cpu({ ...utilization, averageValue: '1' })] },
      'spec.metrics[0].resource.target.averageValue: Forbidden: may not set both a target raw value and a target utilization',
    ],
    [
      {
        metrics: [
          {
            ...cpu(utilization),
            pods: { metric: { name: 'x' }, target: { type: 'AverageValue', averageValue: '1' } },
          },
        ],
      },
      'spec.metrics[0].pods: Forbidden: must populate the given metric source only',
    ],
    [
      { metrics: [{ type: 'ContainerResource', containerResource: { name: 'cpu', target: utilization } }] },
      'spec.metrics[0].containerResource.container: Required value',
    ],
    [
      { metrics: [{ type: 'Pods', pods: { metric: { name: 'x' }, target: { type: 'AverageValue' } } }] },
      'spec.metrics[0].pods.target.averageValue: Required value: must specify a positive target averageValue',
    ],
    [behavior({ policies }), undefined],
    [
      behavior({ policies, stabilizationWindowSeconds: 3601 }),
      'spec.behavior.scaleUp.stabilizationWindowSeconds: Invalid value: 3601: must be less than or equal to 3600',
    ],
    [
      behavior({ policies: [] }),
      'spec.behavior.scaleUp.policies: Required value: must specify at least one Policy',
    ],
    [
      behavior({ policies: [{ type: 'Pods', value: 0, periodSeconds: 60 }] }),
      'spec.behavior.scaleUp.policies[0].value: Invalid value: 0: must be greater than zero',
    ],
    [
      behavior({ policies: [{ type: 'Pods', value: 1, periodSeconds: 1801 }] }),
      'spec.behavior.scaleUp.policies[0].periodSeconds: Invalid value: 1801: must be less than or equal to 1800',
    ],
    [
      behavior({ policies, selectPolicy: 'Most' }),
      'spec.behavior.scaleUp.selectPolicy: Unsupported value: "Most": supported values: "Disabled", "Max", "Min"',
    ],
  ];
  for (const [spec, expected] of table) {
    const problems = validate(horizontalPodAutoscaler, defaults(horizontalPodAutoscaler, autoscaler(spec)));
    const found = problems.map(({ field, message }) => `${field}: ${message}`);
    assert.equal(found.join('\n'), expected ?? '', JSON.stringify(spec));
  }
});

test('the column TARGETS shows what is and what is aimed at', () => {
  const current = { averageUtilization: 30, averageValue: '60m' };
  const used = [{ type: 'Resource', resource: { name: 'cpu', current } }];
  const memory = {
    type: 'Resource',
    resource: { name: 'memory', target: { type: 'AverageValue', averageValue: '100Mi' } },
  };
  const pods = (averageValue: string) => ({
    type: 'Pods',
    pods: { metric: { name: 'requests' }, target: { type: 'AverageValue', averageValue } },
  });
  const queue = { metric: { name: 'queue' }, target: { type: 'Value', value: '10' } };
  const side = {
    type: 'ContainerResource',
    containerResource: { name: 'cpu', container: 'side', target: utilization },
  };
  const table: [object[], object[] | undefined, string][] = [
    [[cpu(utilization)], undefined, 'cpu: <unknown>/50%'],
    [[cpu(utilization)], used, 'cpu: 30%/50%'],
    [[memory], undefined, 'memory: <unknown>/100Mi'],
    [[side], undefined, 'cpu: <unknown>/50%'],
    [[cpu(utilization), memory], used, 'cpu: 30%/50%, memory: <unknown>/100Mi'],
    [[cpu(utilization), memory, pods('1')], used, 'cpu: 30%/50%, memory: <unknown>/100Mi + 1 more...'],
    [
      [pods('5')],
      [{ type: 'Pods', pods: { metric: { name: 'requests' }, current: { averageValue: '4' } } }],
      '4/5',
    ],
    [
      [{ type: 'Object', object: { ...queue, describedObject: scaleTargetRef } }],
      [
        {
          type: 'Object',
          object: { metric: queue.metric, describedObject: scaleTargetRef, current: { value: '7' } },
        },
      ],
      '7/10',
    ],
    [[{ type: 'External', external: queue }], undefined, '<unknown>/10'],
  ];
  for (const [metrics, currentMetrics, expected] of table) {
    const object = autoscaler(
      { metrics, minReplicas: 1 },
      { currentReplicas: 2, desiredReplicas: 2, currentMetrics },
    );
    const { rows } = toTable(horizontalPodAutoscaler, [object], {
      nowMs: Date.parse('2026-01-01T00:10:00Z'),
    });
    assert.deepEqual(rows[0]?.cells, ['web', 'Deployment/web', expected, '1', 3, 2, '10m']);
  }
});
