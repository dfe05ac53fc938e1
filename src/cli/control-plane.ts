import type { IncomingMessage } from 'node:http';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { kinds } from '../api/kinds/index.ts';
import type { FrontProxy } from '../apiserver/aggregation/remote.ts';
import type { AuditOptions } from '../apiserver/audit/open-audit.ts';
import { mayTrainerUse } from '../apiserver/authorization/trainer-authorizer.ts';
import { type ApiServer, type ApiServerOptions, createApiServer } from '../apiserver/server.ts';
import type { User } from '../apiserver/user.ts';
import { tokenAuthenticator } from '../apiserver/user.ts';
import type { Clock } from '../base/clock.ts';
import { Lifecycle, type Running } from '../base/lifecycle.ts';
import type { Log } from '../base/log.ts';
import { Metrics } from '../base/metrics.ts';
import { exposeProcess } from '../base/process-metrics.ts';
import { createClient } from '../client/index.ts';
import { startControllers } from '../controllers/index.ts';
import type { PodNetwork } from '../controllers/node-cidr/subnets.ts';
import { type Authority, openAuthority } from '../identity/authority.ts';
import { formatJoinToken } from '../identity/join-token.ts';
import { loadOrCreateFile, loadOrCreateKey } from '../identity/key-file.ts';
import { openServiceAccountTokens } from '../identity/service-account-token.ts';
import { openTokens } from '../identity/tokens.ts';
import { ContentStore } from '../oci/content-store.ts';
import { type Access, createRegistry } from '../oci/registry.ts';
import { startScheduler } from '../scheduler/scheduler.ts';
import { openStore } from '../store/open.ts';
import type { Store } from '../store/store.ts';
import type { DataDir } from './data-dir.ts';
import { renewedCertificate } from './renewed-certificate.ts';
import { version } from './version.ts';

const yearSeconds = 365 * 24 * 3600;
/** The first address of the Service range, that of the Service `kubernetes`. */
const serviceAddress = '10.43.0.1';

export interface ControlPlane extends Running {
  api: ApiServer;
  authority: Authority;
  port: number;
  /** `https://host:port`. */
  server: string;
  joinToken: string;
  metrics: Metrics;
}

/** API server, registry, controllers and scheduler over one data folder. Rejects when the folder or the port is taken. */
export async function startControlPlane(options: {
  dataDir: DataDir;
  host: string;
  port: number;
  /** Further names and addresses that the server's certificate is valid for. */
  names: string[];
  evictAfterSeconds: number;
  podAutoscalingSeconds?: number | undefined;
  podNetwork?: PodNetwork;
  /** The way to the pods of the node in this process, if there is one. */
  dialPod?: ApiServerOptions['dialPod'];
  /** Who did what is written down, if that is asked for. */
  audit?: AuditOptions | undefined;
  clock: Clock;
  log: Log;
  /** Runs as soon as the port is known; the server is not ready before it has ended. */
  onListening?: (listening: Pick<ControlPlane, 'authority' | 'server'>) => Promise<void>;
}): Promise<ControlPlane> {
  const { dataDir, host, clock, log } = options;
  const life = new Lifecycle();
  try {
    const metrics = new Metrics();
    exposeProcess(metrics);
    const store = openStore({
      path: join(dataDir.server, 'state.sqlite'),
      clock,
      log,
      encrypt: { prefixes: ['/core/secrets/'], key: loadOrCreateKey(join(dataDir.server, 'secrets.key')) },
    });
    life.defer(() => store.close());
    const authority = openAuthority({ dir: join(dataDir.server, 'ca'), clock });
    const tokens = openTokens(join(dataDir.server, 'tokens'));
    const joinToken = joinTokenOf(dataDir, authority, tokens);
    const kubeletClient = renewedCertificate({ authority, clock, terms: kubeletClientTerms });
    const frontProxy = openFrontProxy(dataDir, authority, clock);
    const { evictAfterSeconds } = options;
    const audited = options.audit && (await opened(options.audit, { clock, log, metrics }));
    if (audited) life.defer(audited.close);
    const api = createApiServer({
      audit: audited?.audit,
      store,
      kinds,
      clock,
      log,
      metrics,
      authenticators: [tokenAuthenticator(tokens)],
      ...(options.dialPod && { dialPod: options.dialPod }),
      ...(evictAfterSeconds !== undefined && { evictAfterSeconds }),
      serviceAccountTokens: openServiceAccountTokens({
        keyPath: join(dataDir.server, 'service-account.key'),
        clock,
      }),
      kubelet: () => {
        const { certificatePem, privateKeyPem } = kubeletClient.current();
        return { caPem: authority.caPem, certPem: certificatePem, keyPem: privateKeyPem };
      },
      frontProxy,
      version: version(),
    });
    const kubeconfigWritten = api.health.expect('write-kubeconfig');
    const controllersStarted = api.health.expect('start-controllers');
    const content = await ContentStore.open(dataDir.registry);
    const callers = new WeakMap<IncomingMessage, User>();
    const registry = createRegistry({
      store: content,
      log,
      authorize: (request, access) => mayUse(store, callers.get(request), access),
    });
    const serving = renewedCertificate({ authority, clock, terms: servingTerms([host, ...options.names]) });
    const listening = await api
      .listen({
        host,
        port: options.port,
        tls: { ...toTls(serving.current()), caPem: authority.caPem },
        extraHandlers: [
          (request, response, user) => {
            callers.set(request, user);
            return registry.handle(request, response);
          },
        ],
      })
      .catch((error: NodeJS.ErrnoException) => {
        throw addressError(error, host, options.port);
      });
    life.defer(() => listening.close());
    life.defer(() => api.health.stopping());
    life.defer(serving.onRenewal((issued) => listening.useCertificate(toTls(issued))));
    const reachable = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
    const server = `https://${reachable}:${listening.port}`;
    await Promise.all([
      api.bootstrap({ endpoint: { ip: endpointAddress(host, options.names), port: listening.port } }),
      Promise.resolve(options.onListening?.({ authority, server })).then(kubeconfigWritten),
    ]);
    const client = createClient(api.transport());
    const controllers = life.add(
      startControllers({
        client,
        clock,
        log,
        authority,
        metrics,
        registry: content,
        evictAfterSeconds,
        podAutoscalingSeconds: options.podAutoscalingSeconds,
        ...(options.podNetwork && { podNetwork: options.podNetwork }),
      }),
    );
    life.add(startScheduler({ client, clock, log, informers: controllers.informers }));
    controllersStarted();
    return {
      api,
      authority,
      port: listening.port,
      server,
      joinToken,
      metrics,
      stop: () => life.stop(),
    };
  } catch (error) {
    await life.stop();
    throw error;
  }
}

async function opened(...terms: Parameters<OpenAudit>): ReturnType<OpenAudit> {
  const { openAudit } = await import('../apiserver/audit/open-audit.ts');
  return openAudit(...terms);
}

type OpenAudit = typeof import('../apiserver/audit/open-audit.ts').openAudit;

const kubeletClientTerms = {
  commonName: 'kube-apiserver-kubelet-client',
  organizations: ['system:masters'],
  usages: ['client' as const],
  lifetimeSeconds: yearSeconds,
};

/** By which other API servers know this one: with an authority of its own, which signs for nobody else. */
function openFrontProxy(dataDir: DataDir, { caPem: clientCaPem }: Authority, clock: Clock): FrontProxy {
  const authority = openAuthority({ dir: join(dataDir.server, 'front-proxy-ca'), clock });
  const certificate = renewedCertificate({ authority, clock, terms: frontProxyTerms });
  return {
    caPem: authority.caPem,
    clientCaPem,
    allowedNames: [frontProxyTerms.commonName],
    current() {
      const { certificatePem, privateKeyPem } = certificate.current();
      return { certPem: certificatePem, keyPem: privateKeyPem };
    },
  };
}

const frontProxyTerms = {
  commonName: 'front-proxy-client',
  usages: ['client' as const],
  lifetimeSeconds: yearSeconds,
};

/** For every name and address that a client may know this server by. */
function servingTerms(names: string[]) {
  const addresses = [
    '127.0.0.1',
    '::1',
    serviceAddress,
    ...names.filter((name) => isAddress(name) && name !== '0.0.0.0'),
  ];
  const service = [
    'kubernetes',
    'kubernetes.default',
    'kubernetes.default.svc',
    'kubernetes.default.svc.cluster.local',
  ];
  return {
    commonName: 'selvage',
    dnsNames: [
      ...new Set(['localhost', hostname(), ...service, ...names.filter((name) => !isAddress(name))]),
    ],
    ipAddresses: [...new Set(addresses)],
    usages: ['server' as const],
    lifetimeSeconds: yearSeconds,
  };
}

/** A server sends the whole chain, so that a joining node can pin the authority. */
function toTls({ chainPem, privateKeyPem }: { chainPem: string; privateKeyPem: string }) {
  return { certPem: chainPem, keyPem: privateKeyPem };
}

function addressError(error: NodeJS.ErrnoException, host: string, port: number): Error {
  const address = `${host}:${port}`;
  if (error.code === 'EADDRINUSE') {
    return new Error(
      `${address} is in use by another program; end it, or choose another with --port (0 picks a free one)`,
    );
  }
  if (error.code === 'EACCES')
    return new Error(`${address} may not be opened by this user; choose a --port above 1023`);
  if (error.code === 'EADDRNOTAVAIL')
    return new Error(`${host} is no address of this machine; choose another --host`);
  return error;
}

/** The one join token of this cluster, kept so that it can be looked up again. */
function joinTokenOf(dataDir: DataDir, authority: Authority, tokens: ReturnType<typeof openTokens>): string {
  const create = () => {
    const secret = tokens.create({
      name: 'join',
      user: 'system:bootstrap:selvage',
      groups: ['system:bootstrappers', 'system:authenticated'],
    });
    return formatJoinToken({ caHash: authority.caHash, secret });
  };
  return loadOrCreateFile(join(dataDir.server, 'join-token'), create).toString().trim();
}

/** Nodes pull; what trains pushes what it was asked for; who administers the cluster may do everything. */
function mayUse(store: Store, user: User | undefined, access: Access): boolean {
  if (!user) return false;
  if (user.groups.includes('system:masters')) return true;
  if (access.action === 'pull' && user.groups.includes('system:nodes')) return true;
  return mayTrainerUse(store, user, access);
}

/** Where pods of every node reach this server: an address that it was told to be known by, where it listens on all. */
function endpointAddress(host: string, names: readonly string[]): string {
  const isWildcard = host === '0.0.0.0' || host === '::';
  return (isWildcard ? names : [host]).find((name) => /^[\d.]+$/.test(name)) ?? '127.0.0.1';
}

function isAddress(name: string): boolean {
  return /^[\d.]+$/.test(name) || name.includes(':');
}
