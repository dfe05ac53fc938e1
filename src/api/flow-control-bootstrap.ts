/*
 * The flow schemas and priority levels that every cluster has: the mandatory ones, which nobody may change, and those
 * that Kubernetes 1.32 suggests. Source: https://kubernetes.io/docs/concepts/cluster-administration/flow-control/#defaults
 */

/** `"true"`: the spec follows ours. */
export const autoUpdateSpec = 'apf.kubernetes.io/autoupdate-spec';

const metadataOf = (name: string) => ({ name, annotations: { [autoUpdateSpec]: 'true' } });

const limited = (
  name: string,
  nominalConcurrencyShares: number,
  lendablePercent: number,
  queuing?: [queues: number, handSize: number],
) => ({
  metadata: metadataOf(name),
  spec: {
    type: 'Limited',
    limited: {
      nominalConcurrencyShares,
      lendablePercent,
      limitResponse: queuing
        ? { type: 'Queue', queuing: { queues: queuing[0], handSize: queuing[1], queueLengthLimit: 50 } }
        : { type: 'Reject' },
    },
  },
});

export const mandatoryPriorityLevels = [
  {
    metadata: metadataOf('exempt'),
    spec: { type: 'Exempt', exempt: { nominalConcurrencyShares: 0, lendablePercent: 0 } },
  },
  limited('catch-all', 5, 0),
];

export const suggestedPriorityLevels = [
  limited('system', 30, 33, [64, 6]),
  limited('node-high', 40, 25, [64, 6]),
  limited('leader-election', 10, 0, [16, 4]),
  limited('workload-high', 40, 50, [128, 6]),
  limited('workload-low', 100, 90, [128, 6]),
  limited('global-default', 20, 50, [128, 6]),
];

const group = (name: string) => ({ kind: 'Group', group: { name } });
const user = (name: string) => ({ kind: 'User', user: { name } });
const systemAccount = (name: string) => ({
  kind: 'ServiceAccount',
  serviceAccount: { name, namespace: 'kube-system' },
});
const everybody = [group('system:unauthenticated'), group('system:authenticated')];
const everyPath = { verbs: ['*'], nonResourceURLs: ['*'] };
const everyResource = {
  verbs: ['*'],
  apiGroups: ['*'],
  resources: ['*'],
  namespaces: ['*'],
  clusterScope: true,
};
const everything = { resourceRules: [everyResource], nonResourceRules: [everyPath] };
const leaderVerbs = ['get', 'create', 'update'];
const inGroup = (apiGroup: string, resources: string[], verbs: string[]) => ({
  verbs,
  apiGroups: [apiGroup],
  resources,
  namespaces: ['*'],
});
const leases = 'coordination.k8s.io';

const flow = (
  name: string,
  level: string,
  matchingPrecedence: number,
  rule: object,
  distinguisher?: 'ByUser' | 'ByNamespace',
) => ({
  metadata: metadataOf(name),
  spec: {
    priorityLevelConfiguration: { name: level },
    matchingPrecedence,
    ...(distinguisher && { distinguisherMethod: { type: distinguisher } }),
    rules: [rule],
  },
});

export const mandatoryFlowSchemas = [
  flow('exempt', 'exempt', 1, { subjects: [group('system:masters')], ...everything }),
  flow('catch-all', 'catch-all', 10_000, { subjects: everybody, ...everything }, 'ByUser'),
];

const controllerManager = user('system:kube-controller-manager');
const scheduler = user('system:kube-scheduler');

export const suggestedFlowSchemas = [
  flow('probes', 'exempt', 2, {
    subjects: everybody,
    nonResourceRules: [{ verbs: ['get'], nonResourceURLs: ['/healthz', '/readyz', '/livez'] }],
  }),
  flow(
    'system-leader-election',
    'leader-election',
    100,
    {
      subjects: [controllerManager, scheduler, systemAccount('*')],
      resourceRules: [inGroup(leases, ['leases'], leaderVerbs)],
    },
    'ByUser',
  ),
  flow(
    'endpoint-controller',
    'workload-high',
    150,
    {
      subjects: [
        controllerManager,
        systemAccount('endpoint-controller'),
        systemAccount('endpointslicemirroring-controller'),
      ],
      resourceRules: [inGroup('', ['endpoints'], leaderVerbs)],
    },
    'ByUser',
  ),
  flow(
    'workload-leader-election',
    'leader-election',
    200,
    {
      subjects: [systemAccount('*')],
      resourceRules: [
        inGroup('', ['endpoints', 'configmaps'], leaderVerbs),
        inGroup(leases, ['leases'], leaderVerbs),
      ],
    },
    'ByUser',
  ),
  flow(
    'system-node-high',
    'node-high',
    400,
    {
      subjects: [group('system:nodes')],
      resourceRules: [
        { ...inGroup('', ['nodes', 'nodes/status'], ['*']), clusterScope: true },
        inGroup(leases, ['leases'], ['*']),
      ],
    },
    'ByUser',
  ),
  flow('system-nodes', 'system', 500, { subjects: [group('system:nodes')], ...everything }, 'ByUser'),
  flow(
    'kube-controller-manager',
    'workload-high',
    800,
    { subjects: [controllerManager], ...everything },
    'ByNamespace',
  ),
  flow('kube-scheduler', 'workload-high', 800, { subjects: [scheduler], ...everything }, 'ByNamespace'),
  flow(
    'kube-system-service-accounts',
    'workload-high',
    900,
    { subjects: [systemAccount('*')], ...everything },
    'ByNamespace',
  ),
  flow(
    'service-accounts',
    'workload-low',
    9000,
    { subjects: [group('system:serviceaccounts')], ...everything },
    'ByUser',
  ),
  flow('global-default', 'global-default', 9900, { subjects: everybody, ...everything }, 'ByUser'),
];
