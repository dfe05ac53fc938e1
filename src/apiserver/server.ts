import type { KindDefinition } from '../api/kind.ts';
import { reviewDefinitions } from '../api/kinds/reviews.ts';
import { type ServiceAccount, serviceAccount } from '../api/kinds/serviceAccount.ts';
import type { Clock } from '../base/clock.ts';
import { isStatus, messageOf, StatusError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { Metrics } from '../base/metrics.ts';
import type { ApiRequest, Transport } from '../client/transport.ts';
import type { ServiceAccountTokens } from '../identity/service-account-token.ts';
import type { Store } from '../store/store.ts';
import { AdmissionChain, type AdmissionPlugin } from './admission/chain.ts';
import { createAdmissionPlugins } from './admission/plugins.ts';
import { Aggregation } from './aggregation/aggregation.ts';
import type { FrontProxy } from './aggregation/remote.ts';
import { type Document, mergeV2, RemoteOpenApi } from './aggregation/remote-openapi.ts';
import { allowedMethods } from './allowed-methods.ts';
import { type Answer, collected } from './answer.ts';
import type { Audit } from './audit/audit.ts';
import { notePanic } from './audit/notes.ts';
import { type Authorizer, anyOf, bootstrappers, discovery, masters } from './authorization/authorize.ts';
import { escalationStrategies } from './authorization/escalation.ts';
import { createNodeAuthorizer } from './authorization/node-authorizer.ts';
import { rbacAuthorizer, rulesFor } from './authorization/rbac.ts';
import { RbacIndex } from './authorization/rbac-index.ts';
import { createTrainerAuthorizer } from './authorization/trainer-authorizer.ts';
import { bootstrap } from './bootstrap.ts';
import { CustomResources } from './custom-resources/custom-resources.ts';
import { Discovery, type ServedKinds } from './discovery.ts';
import { FlowControl } from './flow-control/flow-control.ts';
import { HealthChecks } from './health-checks.ts';
import { type Listening, type ListenOptions, listen } from './http/listen.ts';
import { KindRegistry } from './kind-registry.ts';
import { metricsKinds } from './metrics-api/metrics-api.ts';
import { NodeUsage } from './metrics-api/node-usage.ts';
import { OpenApi } from './openapi.ts';
import { isPassedOn } from './proxy/is-proxied.ts';
import { RequestMetrics } from './request-metrics.ts';
import { reviewKinds } from './reviews.ts';
import { failureResponse, type Router, route } from './router.ts';
import { serviceAccountAuthenticator } from './service-account-authenticator.ts';
import { type PodDial, serviceDial } from './service-dial.ts';
import { keyOf, prefixOf } from './stored.ts';
import { apiServiceStrategy } from './strategies/api-service.ts';
import { customResourceDefinitionStrategy } from './strategies/custom-resource-definition.ts';
import { createStrategies } from './strategies/index.ts';
import { storageStrategies } from './strategies/persistent-volume.ts';
import type { Strategy } from './strategies/strategy.ts';
import { validatingAdmissionPolicyStrategy } from './strategies/validating-admission-policy.ts';
import { podDial } from './streaming/pod-dial.ts';
import { openPodStream } from './streaming/pod-stream.ts';
import { type Authenticator, certificateAuthenticator, inProcessAdmin, type User } from './user.ts';
import type { KubeletDial } from './verbs/log.ts';
import { versionInfo } from './version.ts';

export interface ApiServerOptions {
  store: Store;
  kinds: readonly KindDefinition[];
  clock: Clock;
  log: Log;
  metrics?: Metrics;
  /** Asked in turn after the verified client certificate; a token authenticator, for one. */
  authenticators?: readonly Authenticator[];
  /** Asked after masters, discovery, bootstrappers and nodes, before roles. */
  authorizers?: readonly Authorizer[];
  /** Asked after the server's own, in this order. */
  admission?: readonly AdmissionPlugin[];
  /** A shorter way to some pods, for webhooks, than the kubelet API of their nodes; undefined for the others. */
  dialPod?: (...pod: Parameters<PodDial>) => ReturnType<PodDial> | undefined;
  /** How long pods that do not say stay on a node that is lost; 300 if absent. */
  evictAfterSeconds?: number;
  /** `10.43.0.0/16` if absent. */
  serviceCidr?: string;
  /** Signs and reads tokens of service accounts; without them there are none, and pods get none. */
  serviceAccountTokens?: ServiceAccountTokens;
  /** How to reach nodes for logs; without it logs are refused. */
  kubelet?: KubeletDial;
  /** What other API servers know this one by. */
  frontProxy?: FrontProxy;
  /** Writes down who did what, over HTTP. */
  audit?: Audit | undefined;
  /** Selvage's own version, for `/version`. */
  version?: string;
}

export interface ApiServer {
  /** Requests of this process, as `user` (by default one who may do everything). */
  transport(user?: User): Transport;
  listen(options: ListenOptions): Promise<Listening>;
  /** What `/readyz` waits for. */
  readonly health: HealthChecks;
  /** Makes the cluster's own namespaces and Service; safe to repeat. `endpoint` is where this server is reached. */
  bootstrap(options?: { endpoint?: { ip: string; port: number } }): Promise<void>;
}

/** Kubernetes' API over a store: authentication, authorization, admission, registry. */
export function createApiServer(options: ApiServerOptions): ApiServer {
  const { store, kinds, clock, log, serviceCidr = '10.43.0.0/16' } = options;
  const metrics = options.metrics ?? new Metrics();
  const index = new RbacIndex(store, log);
  const authorize = anyOf(
    masters,
    discovery,
    bootstrappers,
    createNodeAuthorizer(store),
    createTrainerAuthorizer(store),
    ...(options.authorizers ?? []),
    rbacAuthorizer(index),
  );
  const accountOf = (namespace: string, name: string) =>
    store.get(keyOf(serviceAccount, namespace, name))?.value as ServiceAccount | undefined;
  const strategies = createStrategies(serviceCidr, {
    more: [
      ...escalationStrategies({ index, authorize }),
      ...storageStrategies(store),
      ['customresourcedefinitions.apiextensions.k8s.io', customResourceDefinitionStrategy(clock)],
      ['apiservices.apiregistration.k8s.io', apiServiceStrategy(clock) as Strategy],
      [
        'validatingadmissionpolicies.admissionregistration.k8s.io',
        validatingAdmissionPolicyStrategy(() => served.kinds) as Strategy,
      ],
    ],
  });
  for (const { value } of store.list(prefixOf({ group: '', plural: 'services' })).items)
    strategies.adoptService(value);
  const served = new KindRegistry(
    kinds.map((kind) => {
      const strategy =
        strategies.byResource.get(kind.group === '' ? kind.plural : `${kind.plural}.${kind.group}`) ?? {};
      return { kind, strategy };
    }),
  );
  const dialThroughNode = podDial(store, options.kubelet);
  const dialPod: PodDial = (...pod) => options.dialPod?.(...pod) ?? dialThroughNode(...pod);
  const dialService = serviceDial(store, dialPod);
  const plugins = createAdmissionPlugins({
    store,
    clock,
    log,
    accountOf: options.serviceAccountTokens && accountOf,
    authorize,
    resources: () => served.resources,
    dialService,
    evictAfterSeconds: options.evictAfterSeconds ?? 300,
  });
  const admission = new AdmissionChain([...plugins, ...(options.admission ?? [])]);
  const context = { store, clock, log, admission };
  // Followed until the store is closed.
  if (kinds.some(({ kind }) => kind === 'CustomResourceDefinition'))
    new CustomResources(context, served, dialService);
  const { frontProxy } = options;
  const aggregation = new Aggregation(context, { dialService, frontProxy }, metrics);
  // A server whose store is gone is not well.
  const health = new HealthChecks({ readStore: () => store.list('/core/namespaces/', { limit: 1 }) });
  const { authenticators = [], serviceAccountTokens: tokens } = options;
  const serviceAccounts = tokens && serviceAccountAuthenticator({ tokens, store, clock });
  /** What OpenAPI describes: questions too, which are served apart. */
  const described: ServedKinds = {
    get kinds() {
      return [...served.kinds, ...reviewDefinitions];
    },
    get revision() {
      return served.revision + aggregation.revision;
    },
  };
  const remoteOpenApi = new RemoteOpenApi(() => aggregation.remotes.values(), log);
  const router: Router = {
    context,
    resources: served.resources,
    authorize,
    aggregation,
    discovery: new Discovery(served, reviewKinds, { views: metricsKinds, remotes: aggregation }),
    openApi: new OpenApi(described, {
      v2: async () => {
        const { openapiV2 } = await import('../api/openapi/v2.ts');
        return mergedV2(openapiV2(described.kinds), await remoteOpenApi.v2());
      },
      v2Protobuf: async () => {
        const [{ openapiV2 }, { encodeGnostic }] = await Promise.all([
          import('../api/openapi/v2.ts'),
          import('../api/openapi/gnostic.ts'),
        ]);
        return encodeGnostic(mergedV2(openapiV2(described.kinds), await remoteOpenApi.v2()));
      },
      v3: async (group, version) =>
        (await import('../api/openapi/v3.ts')).openapiV3(described.kinds, { group, version }),
      v3Discovery: async (path) => (await import('../api/openapi/v3-discovery.ts')).openapiV3Discovery(path),
      remoteV3: () => remoteOpenApi.v3(),
      remoteRevision: () => remoteOpenApi.revision(),
    }),
    kubelet: options.kubelet,
    dialPod,
    usage: new NodeUsage(context, options.kubelet),
    reviewers: {
      authorize,
      rulesFor: (user, namespace) => rulesFor(index, user, namespace),
      tokens: { authenticators, serviceAccounts, audience: tokens?.issuer ?? '' },
    },
    serviceAccountTokens: tokens,
    version: versionInfo(options.version ?? '0.0.0'),
    health,
    metrics: () => metrics.expose(),
  };
  const handle = measured(router, metrics);
  const transport =
    (user: User = inProcessAdmin): Transport =>
    async (request) => {
      const answer = await handle(request, user);
      if (answer.kind !== 'proxied') return collected(answer);
      const { decoded } = await import('./proxy/decoded.ts');
      return decoded(request, answer);
    };
  const openStream = async (request: ApiRequest, user: User) => {
    if (!isPassedOn(router, request)) return openPodStream(router, request, user);
    const { openPassed } = await import('./proxy/open-passed.ts');
    return openPassed(router, request, user);
  };
  const flowControl = new FlowControl({ store, log, metrics });
  const known: Authenticator[] = [
    certificateAuthenticator,
    ...authenticators,
    ({ token }) => (token === undefined ? undefined : serviceAccounts?.(token)),
  ];
  return {
    transport,
    health,
    listen: (listenOptions) =>
      listen({
        handle,
        openStream,
        isPassedOn: (request) => isPassedOn(router, request),
        authenticators: known,
        authorize,
        flowControl,
        audit: options.audit,
        log,
        ...listenOptions,
      }),
    bootstrap: (bootstrapOptions = {}) =>
      bootstrap(transport(), { serviceCidr, health, frontProxy, ...bootstrapOptions }),
  };
}

const mergedV2 = (own: object, others: readonly Document[]) =>
  others.length > 0 ? mergeV2(own, others) : own;

function measured(router: Router, metrics: Metrics): (request: ApiRequest, user: User) => Promise<Answer> {
  const { log } = router.context;
  const { resources, context } = router;
  const requests = new RequestMetrics(metrics, { resources, store: context.store });
  return async (request, user) => {
    const answered = requests.begin(request);
    let response: Answer;
    try {
      response = await route(router, request, user);
    } catch (error) {
      if (!isStatus(error)) {
        notePanic(request, messageOf(error));
        log.error('a request failed', {
          method: request.method,
          path: request.path,
          error: messageOf(error),
          stack: error instanceof Error ? error.stack : undefined,
        });
      }
      response = failureResponse(
        isStatus(error)
          ? error
          : new StatusError('InternalError', `Internal error occurred: ${messageOf(error)}`),
      );
      if (response.code === 405) response.headers.allow = allowedMethods(router.resources, request);
    }
    answered(response.code);
    return response;
  };
}
