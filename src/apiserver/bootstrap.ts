import { builtInRuntime, clusterServingRuntime } from '../api/kinds/clusterServingRuntime.ts';
import { configMap } from '../api/kinds/configMap.ts';
import { endpointSlice } from '../api/kinds/endpointSlice.ts';
import { endpoints } from '../api/kinds/endpoints.ts';
import { namespace } from '../api/kinds/namespace.ts';
import { priorityClass, systemPriorityClasses } from '../api/kinds/priorityClass.ts';
import { service } from '../api/kinds/service.ts';
import { storageClass } from '../api/kinds/storageClass.ts';
import { localPathProvisioner } from '../api/local-path.ts';
import type { KindAddress, KubeObject } from '../api/object.ts';
import { pathOf } from '../api/object.ts';
import { defaultClassAnnotation } from '../api/storage-class.ts';
import { type Status, StatusError } from '../base/errors.ts';
import type { Transport } from '../client/transport.ts';
import { authenticationConfig } from './aggregation/authentication-config.ts';
import type { FrontProxy } from './aggregation/remote.ts';
import { reconcileDefaultRoles, reconcileSystemRoles } from './authorization/reconcile-roles.ts';
import { bootstrapFlowControl } from './flow-control/bootstrap.ts';
import type { HealthChecks } from './health-checks.ts';
import { firstAddress } from './strategies/address-pool.ts';
import { systemNamespaces } from './strategies/namespace.ts';

const port = 443;

/** Folders of the nodes, for claims that name no class; named as K3s names its own. */
const localPath = {
  metadata: { name: 'local-path', annotations: { [defaultClassAnnotation]: 'true' } },
  provisioner: localPathProvisioner,
  reclaimPolicy: 'Delete',
  volumeBindingMode: 'WaitForFirstConsumer',
  allowVolumeExpansion: true,
};

/** Makes what every cluster has: its namespaces, priority classes and default roles and the `kubernetes` Service, whose endpoint is this server. */
export async function bootstrap(
  transport: Transport,
  options: {
    serviceCidr: string;
    health: HealthChecks;
    frontProxy?: FrontProxy | undefined;
    endpoint?: { ip: string; port: number };
  },
): Promise<void> {
  const { health } = options;
  await Promise.all([
    ...systemNamespaces.map((name) => ensure(transport, namespace, undefined, { metadata: { name } })),
    Promise.all(systemPriorityClasses.map((each) => ensure(transport, priorityClass, undefined, each))).then(
      () => health.finish('scheduling/bootstrap-system-priority-classes'),
    ),
    reconcileDefaultRoles(transport).then(() => health.finish('rbac/bootstrap-roles')),
    ensure(transport, storageClass, undefined, localPath),
    ensure(transport, clusterServingRuntime, undefined, builtInRuntime),
    bootstrapFlowControl(transport).then(() => health.finish('priority-and-fairness-config-producer')),
  ]);
  await ensure(transport, service, 'default', {
    metadata: { name: 'kubernetes', labels: { component: 'apiserver', provider: 'kubernetes' } },
    spec: {
      clusterIP: firstAddress(options.serviceCidr),
      ports: [{ name: 'https', port, protocol: 'TCP', targetPort: options.endpoint?.port ?? port }],
    },
  } as KubeObject);
  if (options.endpoint) await writeEndpoint(transport, options.endpoint);
  await reconcileSystemRoles(transport);
  if (options.frontProxy)
    await write(transport, configMap, authenticationConfig(options.frontProxy), 'kube-system');
  health.finish('bootstrap-controller');
}

/** The server's address may change from one start to the next. */
async function writeEndpoint(transport: Transport, endpoint: { ip: string; port: number }): Promise<void> {
  const slice = {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: 'kubernetes',
      namespace: 'default',
      labels: {
        'kubernetes.io/service-name': 'kubernetes',
        'endpointslice.kubernetes.io/managed-by': 'selvage-apiserver',
      },
    },
    addressType: 'IPv4',
    endpoints: [{ addresses: [endpoint.ip], conditions: { ready: true } }],
    ports: [{ name: 'https', port: endpoint.port, protocol: 'TCP' }],
  };
  await write(transport, endpointSlice, slice);
  // A loopback address is none that Endpoints may list.
  if (endpoint.ip.startsWith('127.')) return;
  await write(transport, endpoints, {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: {
      name: 'kubernetes',
      namespace: 'default',
      labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' },
    },
    subsets: [
      {
        addresses: [{ ip: endpoint.ip }],
        ports: [{ name: 'https', port: endpoint.port, protocol: 'TCP' }],
      },
    ],
  } as KubeObject);
}

async function write(
  transport: Transport,
  kind: KindAddress,
  object: KubeObject,
  inNamespace = 'default',
): Promise<void> {
  if (await ensure(transport, kind, inNamespace, object)) return;
  const path = pathOf(kind, { namespace: inNamespace, name: object.metadata!.name });
  await send(transport, 'PUT', path, object);
}

/** True when it was made now. */
async function ensure(
  transport: Transport,
  kind: KindAddress,
  inNamespace: string | undefined,
  object: KubeObject,
): Promise<boolean> {
  const code = await send(transport, 'POST', pathOf(kind, { namespace: inNamespace }), object);
  return code !== 409;
}

async function send(
  transport: Transport,
  method: 'POST' | 'PUT',
  path: string,
  body: unknown,
): Promise<number> {
  const headers = { 'content-type': 'application/json' };
  const response = await transport({ method, path, query: new URLSearchParams(), headers, body });
  if (response.code < 400 || response.code === 409) return response.code;
  throw StatusError.fromStatus(
    response.kind === 'object' ? (response.object as Status) : { code: response.code },
  );
}
