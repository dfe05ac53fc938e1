import type { PolicyRule } from '../../api/parts/rbac.ts';

const read = ['get', 'list', 'watch'];
const write = ['create', 'delete', 'deletecollection', 'patch', 'update'];

const rule = (apiGroup: string, resources: string, verbs: string[]): PolicyRule => ({
  apiGroups: [apiGroup],
  resources: resources.split(' '),
  verbs,
});

const workloads =
  'daemonsets deployments deployments/scale replicasets replicasets/scale statefulsets statefulsets/scale';
const core =
  'configmaps events persistentvolumeclaims pods replicationcontrollers replicationcontrollers/scale serviceaccounts services';

/** Reading in a namespace, without what is secret and without roles. */
export const viewRules: PolicyRule[] = [
  rule(
    '',
    'configmaps endpoints persistentvolumeclaims persistentvolumeclaims/status pods replicationcontrollers replicationcontrollers/scale serviceaccounts services services/status',
    read,
  ),
  rule(
    '',
    'bindings events limitranges namespaces/status pods/log pods/status replicationcontrollers/status resourcequotas resourcequotas/status',
    read,
  ),
  rule('', 'namespaces', read),
  rule('discovery.k8s.io', 'endpointslices', read),
  rule(
    'apps',
    `controllerrevisions daemonsets/status deployments/status replicasets/status statefulsets/status ${workloads}`,
    read,
  ),
  rule('autoscaling', 'horizontalpodautoscalers horizontalpodautoscalers/status', read),
  rule('batch', 'cronjobs cronjobs/status jobs jobs/status', read),
  rule('policy', 'poddisruptionbudgets poddisruptionbudgets/status', read),
  rule('networking.k8s.io', 'ingresses ingresses/status networkpolicies', read),
  rule('metrics.k8s.io', 'pods', read),
  rule('serving.kserve.io', 'inferenceservices inferenceservices/status servingruntimes', read),
];

/** Working in a namespace, its secrets and (by way of pods) its service accounts included. */
export const editRules: PolicyRule[] = [
  rule('', 'pods/attach pods/exec pods/portforward pods/proxy secrets services/proxy', read),
  rule('', 'serviceaccounts', ['impersonate']),
  rule('', 'pods pods/attach pods/exec pods/portforward pods/proxy', write),
  rule('', 'pods/eviction', ['create']),
  rule('', `${core.replace('pods ', '')} secrets services/proxy`, write),
  rule('', 'serviceaccounts/token', ['create']),
  rule('apps', `deployments/rollback ${workloads}`, write),
  rule('autoscaling', 'horizontalpodautoscalers', write),
  rule('batch', 'cronjobs jobs', write),
  rule('policy', 'poddisruptionbudgets', write),
  rule('networking.k8s.io', 'ingresses networkpolicies', write),
  rule('coordination.k8s.io', 'leases', [...write, ...read]),
  rule('serving.kserve.io', 'inferenceservices servingruntimes', write),
];

/** Deciding in a namespace who may do what there. */
export const adminRules: PolicyRule[] = [
  rule('authorization.k8s.io', 'localsubjectaccessreviews', ['create']),
  rule('rbac.authorization.k8s.io', 'rolebindings roles', [...write, ...read]),
];

/** What a client learns of the server before it asks for anything. */
export const discoveryRules = [
  '/api',
  '/api/*',
  '/apis',
  '/apis/*',
  '/healthz',
  '/livez',
  '/openapi',
  '/openapi/*',
  '/readyz',
  '/version',
  '/version/',
];

export const healthRules = ['/healthz', '/livez', '/readyz', '/version', '/version/'];

/** What everybody may ask about themselves. */
export const selfRules: PolicyRule[] = [
  rule('authorization.k8s.io', 'selfsubjectaccessreviews selfsubjectrulesreviews', ['create']),
  rule('authentication.k8s.io', 'selfsubjectreviews', ['create']),
];
