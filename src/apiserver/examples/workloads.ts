import { type Example, labels, meta, template, workload } from './example.ts';

const never = { ...template, spec: { ...template.spec, restartPolicy: 'Never' } };
const mismatch = '`selector` does not match template `labels`';

export const workloadExamples: Example[] = [
  ...['Deployment', 'ReplicaSet', 'DaemonSet'].map(
    (kind): Example => ({
      kind,
      apiVersion: 'apps/v1',
      object: { ...meta('web'), spec: { ...workload, ...(kind !== 'DaemonSet' && { replicas: 0 }) } },
      change: { spec: { minReadySeconds: 5 } },
      invalid: [
        [
          { spec: { template: { metadata: { labels: { app: 'y' } } } } },
          [`spec.template.metadata.labels: Invalid value: map[string]string{"app":"y"}: ${mismatch}`],
        ],
        [
          { spec: { minReadySeconds: -1 } },
          ['spec.minReadySeconds: Invalid value: -1: must be greater than or equal to 0'],
        ],
      ],
    }),
  ),
  {
    kind: 'StatefulSet',
    apiVersion: 'apps/v1',
    object: { ...meta('db'), spec: { ...workload, replicas: 0, serviceName: 'db' } },
    change: { spec: { replicas: 1 } },
    invalid: [
      [{ spec: { replicas: -1 } }, ['spec.replicas: Invalid value: -1: must be greater than or equal to 0']],
      [{ spec: { podManagementPolicy: 'Odd' } }, ['spec.podManagementPolicy: Invalid value: "Odd": must be']],
    ],
  },
  {
    kind: 'ReplicationController',
    apiVersion: 'v1',
    object: { ...meta('old'), spec: { replicas: 0, selector: labels, template } },
    change: { spec: { replicas: 1 } },
    invalid: [
      [{ spec: { replicas: -1 } }, ['spec.replicas: Invalid value: -1: must be greater than or equal to 0']],
      [{ spec: { template: null } }, ['spec.template: Required value']],
    ],
  },
  {
    kind: 'ControllerRevision',
    apiVersion: 'apps/v1',
    object: { ...meta('rev-1'), data: { spec: { a: 1 } }, revision: 1 },
    change: { revision: 2 },
    invalid: [
      [{ revision: -1 }, ['revision: Invalid value: -1: must be greater than or equal to 0']],
      [{ metadata: { name: 'A B' } }, ['metadata.name: Invalid value: "A B"']],
    ],
  },
  {
    kind: 'Job',
    apiVersion: 'batch/v1',
    object: { ...meta('once'), spec: { template: never, parallelism: 0 } },
    change: { spec: { parallelism: 1 } },
    invalid: [
      [
        { spec: { parallelism: -1 } },
        ['spec.parallelism: Invalid value: -1: must be greater than or equal to 0'],
      ],
      [
        { spec: { template: { spec: { restartPolicy: 'Always' } } } },
        ['spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"'],
      ],
    ],
  },
  {
    kind: 'CronJob',
    apiVersion: 'batch/v1',
    object: {
      ...meta('nightly'),
      spec: {
        schedule: '0 3 * * *',
        timeZone: 'Etc/UTC',
        suspend: true,
        jobTemplate: { spec: { template: never } },
      },
    },
    change: { spec: { schedule: '0 4 * * *' } },
    invalid: [
      [{ spec: { schedule: 'often' } }, ['spec.schedule: Invalid value: "often"']],
      [{ spec: { concurrencyPolicy: 'Odd' } }, ['spec.concurrencyPolicy: Unsupported value: "Odd"']],
    ],
  },
  {
    kind: 'PodDisruptionBudget',
    apiVersion: 'policy/v1',
    object: { ...meta('web'), spec: { minAvailable: '50%', selector: { matchLabels: labels } } },
    change: { spec: { minAvailable: 1 } },
    invalid: [
      [
        { spec: { maxUnavailable: 1 } },
        [
          'spec: Invalid value: {"minAvailable":"50%","maxUnavailable":1}: minAvailable and maxUnavailable cannot be both set',
        ],
      ],
      [
        { spec: { minAvailable: 'half' } },
        ['spec.minAvailable: Invalid value: intstr.IntOrString{Type:1, IntVal:0, StrVal:"half"}'],
      ],
    ],
  },
  {
    kind: 'Lease',
    apiVersion: 'coordination.k8s.io/v1',
    object: {
      ...meta('leader'),
      spec: { holderIdentity: 'a', leaseDurationSeconds: 15, renewTime: '2026-01-02T03:04:05.000000Z' },
    },
    change: { spec: { holderIdentity: 'b' } },
    invalid: [
      [
        { spec: { leaseDurationSeconds: 0 } },
        ['spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0'],
      ],
      [
        { spec: { leaseTransitions: -1 } },
        ['spec.leaseTransitions: Invalid value: -1: must be greater than or equal to 0'],
      ],
    ],
  },
  ...['Role', 'ClusterRole'].map(
    (kind): Example => ({
      kind,
      apiVersion: 'rbac.authorization.k8s.io/v1',
      object: {
        ...meta('reader'),
        rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get', 'list'] }],
      },
      change: { rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }] },
      invalid: [
        [
          { rules: [{ apiGroups: [''], resources: ['pods'], verbs: [] }] },
          ['rules[0].verbs: Required value'],
        ],
        [{ rules: [{ verbs: ['get'] }] }, ['rules[0].apiGroups: Required value']],
      ],
    }),
  ),
  ...['RoleBinding', 'ClusterRoleBinding'].map(
    (kind): Example => ({
      kind,
      apiVersion: 'rbac.authorization.k8s.io/v1',
      object: {
        ...meta('readers'),
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' },
        subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'jane' }],
      },
      change: { metadata: { labels: { a: 'b' } } },
      invalid: [
        [{ roleRef: { name: '' } }, ['roleRef.name: Required value']],
        [{ subjects: [{ kind: 'Odd', name: 'x' }] }, ['subjects[0].kind: Unsupported value: "Odd"']],
      ],
    }),
  ),
];
