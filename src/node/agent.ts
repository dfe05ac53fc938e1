import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { node as nodeKind } from '../api/addresses.ts';
import type { Node } from '../api/kinds/node.ts';
import { hasPodEnded } from '../api/pod-ended.ts';
import { type Clock, systemClock } from '../base/clock.ts';
import { Lifecycle, type Running } from '../base/lifecycle.ts';
import type { Log } from '../base/log.ts';
import { Metrics } from '../base/metrics.ts';
import type { Client } from '../client/client.ts';
import { clientUntil } from '../client/client-until.ts';
import { createEventRecorder } from '../client/events.ts';
import { createInformer } from '../client/informer.ts';
import type { RegistryEndpoint } from '../oci/registry-client.ts';
import { NodeCertificates } from './certificates/node-certificates.ts';
import type { HeldCertificate } from './certificates/request-certificate.ts';
import { HeldRequests } from './held-requests.ts';
import { ImageService } from './images/image-service.ts';
import { serveKubeletApi } from './kubelet/kubelet-api.ts';
import { statsSummary } from './kubelet/stats-summary.ts';
import { machineCpuSeconds, measureMachine } from './machine.ts';
import { openMeshPort } from './mesh-port.ts';
import { MeshSync } from './mesh-sync.ts';
import type { NodeDescription } from './node-object.ts';
import { PodAddresses } from './pod-addresses.ts';
import { PodWorkers } from './pod-workers.ts';
import type { StartSources } from './pods/container-start.ts';
import type { Grant } from './pods/grants.ts';
import { ModelSwaps } from './pods/model-swaps.ts';
import { imagesOf, type PodRecord } from './pods/record.ts';
import { VolumeLimits } from './pods/volume-limits.ts';
import { VolumeRefresh } from './pods/volume-refresh.ts';
import { referencedObjects } from './referenced-objects.ts';
import { Registration } from './registration.ts';
import { serviceAccountTokens } from './service-account-tokens.ts';
import { type ConnectShim, ShimLink } from './shim-link.ts';
import { endInOrder, type ShutdownGracePeriod } from './shutdown.ts';
import { NodeState } from './state.ts';
import { VolumeReclaim } from './volume-reclaim.ts';
import { WorkloadIdentities } from './workload-identities.ts';

export interface AgentOptions {
  /** The node's name: a lower-case DNS subdomain. */
  name: string;
  /** Speaks to the API server as `system:node:<name>`. */
  client: Client;
  /** The node's own folder (`<data>/node`). */
  dataDir: string;
  /** The cluster's registry, which image names without a host mean. */
  registry: RegistryEndpoint;
  /** The cluster's certificate authority. */
  caPem: string;
  log: Log;
  clock?: Clock;
  metrics?: Metrics;
  /** The address under which others reach this machine. */
  advertiseAddress: string;
  /** Port 0 picks a free one. */
  kubelet?: { host: string; port: number };
  /** Where this node's mesh port listens; port 0 picks one, and keeps it over restarts. */
  mesh?: { host: string; port: number };
  /** `host:port` that other nodes dial instead (a relay, a forwarded port). */
  meshAdvertise?: string | undefined;
  labels?: Record<string, string>;
  zone?: string;
  /** This package's version. */
  version: string;
  podsMax?: number;
  /** Host folders that pods may mount; none by default. */
  hostPathsAllowed?: readonly string[];
  /** What pods get that ask for it, besides the built-in ones; each ends the sandbox. None by default. */
  grantsAllowed?: readonly Grant[];
  /** The node's client certificate, where joining has made one; else the agent asks for one. */
  nodeCertificate?: { onCertificate(listener: (held: HeldCertificate) => void): void } | undefined;
  /** Tells when this process has its own shim; tests bring theirs. */
  connectShim?: ConnectShim;
}

/** A running node agent. `stop` lets its pods run on, for the next agent to take up. */
export interface Agent extends Running {
  readonly kubeletPort: number;
  /** What runs here, as this node knows it. */
  pods(): PodRecord[];
  /** Resolves once the pods have been listed from the API server. */
  hasSynced(): Promise<void>;
  /**
   * Stops the agent, all of its pods and its shim. With `periods` the node says that it shuts down, and its pods end for
   * good, by their priority; without, the next agent starts them again.
   */
  shutdown(options: { graceSeconds: number; periods?: readonly ShutdownGracePeriod[] }): Promise<void>;
}

const podsMaxDefault = 110;
/** What an agent that stops is still telling the API server may take this long. */
export const lastWordsMs = 1_000;

/** Starts this machine's node agent. Pods that it ran before come back even if the API server doesn't answer. */
export async function startAgent(options: AgentOptions): Promise<Agent> {
  const running = new Lifecycle();
  try {
    return await start(options, running);
  } catch (error) {
    await running.stop();
    throw error;
  }
}

async function start(options: AgentOptions, running: Lifecycle): Promise<Agent> {
  const { name, dataDir, caPem, clock = systemClock, metrics = new Metrics() } = options;
  const log = options.log.with({ node: name });
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const startedAtMs = clock.nowMs();
  const stopping = new AbortController();
  const silence = new AbortController();
  const client = clientUntil(options.client, silence.signal);

  const state = new NodeState({ folder: dataDir });
  running.defer(() => state.close());
  const shim = new ShimLink({ connect: options.connectShim ?? shimOf(dataDir, log), log });
  running.defer(() => shim.close());
  new HeldRequests({ nodeName: name, client, clock, log, shim });
  const recorder = createEventRecorder({ client, clock, log, component: 'kubelet', host: name });
  running.defer(() => recorder.stop());
  const fieldSelector = `metadata.name=${name}`;
  const nodes = createInformer<Node>({ client, kind: nodeKind, fieldSelector, clock, log });
  running.defer(() => stopping.abort());

  const records = (): PodRecord[] => workers.records();
  const addresses = new PodAddresses({ nodeName: name, nodes, state, records });
  const identities = running.add(new WorkloadIdentities({ client, clock, log, state, shim, caPem }));
  const images = new ImageService({
    folder: join(dataDir, 'images'),
    registry: options.registry,
    state,
    clock,
    log,
    inUse: () => new Set(records().flatMap(imagesOf)),
    signal: stopping.signal,
  });
  const volumesFolder = join(dataDir, 'volumes');
  const machine = () => measureMachine(dataDir);
  const { cpuCores, memoryBytes } = machine();
  const logDir = (record: PodRecord) =>
    join(dataDir, 'logs', `${record.namespace}_${record.name}_${record.uid}`);
  const sources: StartSources = {
    node: { name, hostIP: options.advertiseAddress, cpuCores, memoryBytes },
    images,
    objects: referencedObjects({ client, state }),
    services: async () => (await mesh.known())?.routes ?? [],
    token: serviceAccountTokens(client, clock),
    caPem,
    hostPathsAllowed: options.hostPathsAllowed ?? [],
    grantsAllowed: options.grantsAllowed ?? [],
    volumesFolder,
    podDir: (uid) => join(dataDir, 'pods', uid),
    logDir,
    runtime: () => shim.ensure(),
  };
  const workers: PodWorkers = new PodWorkers({
    nodeName: name,
    client,
    clock,
    log,
    recorder,
    state,
    shim,
    address: (record) => addresses.assign(record),
    onPod: ({ record, isGone }) => (isGone ? identities.remove(record.uid) : identities.add(record)),
    onUpdate: (record) => swaps.check(record),
    sources,
  });
  const onChange = (record: PodRecord) => state.savePod(record);
  const swaps = running.add(new ModelSwaps({ clock, log, recorder, sources, onChange }));

  const kubelet = running.add(
    await serveKubeletApi({
      ...(options.kubelet ?? { host: '127.0.0.1', port: 0 }),
      caPem,
      clock,
      log,
      pods: records,
      logDir,
      metrics: async () => exposed(metrics, records(), await shim.current?.metrics()),
      stats: async () =>
        statsSummary({
          nodeName: name,
          nowMs: clock.nowMs(),
          startedAtMs,
          machine: { ...machine(), cpuSeconds: machineCpuSeconds() },
          records: records(),
          usage: (await shim.current?.usage()) ?? [],
        }),
      runtime: () => shim.current,
      dial: async (target) => {
        if (!shim.current) throw new Error('no pod runs on this node');
        return shim.current.dial(target);
      },
    }),
  );
  const description: NodeDescription = {
    name,
    zone: options.zone ?? '',
    labels: options.labels ?? {},
    internalIP: options.advertiseAddress,
    kubeletPort: kubelet.port,
    meshAddress: options.meshAdvertise,
    version: options.version,
    machineId: createHash('sha256').update(`${hostname()}/${name}`).digest('hex').slice(0, 32),
    podsMax: options.podsMax ?? podsMaxDefault,
    volumesFolder: resolve(volumesFolder),
  };
  const registration = new Registration({ client, clock, log, machine, description: () => description });

  shim.onConnected((connected) => {
    const { host, port } = options.mesh ?? { host: '127.0.0.1', port: 0 };
    void openMeshPort(connected, { host, port, state, clock, log }).then((opened) => {
      if (opened === undefined) return;
      const meshAddress = options.meshAdvertise ?? `${options.advertiseAddress}:${opened}`;
      if (meshAddress === description.meshAddress) return;
      description.meshAddress = meshAddress;
      registration.refresh();
    });
  });
  const certificates = running.add(
    new NodeCertificates({
      ...options,
      client,
      clock,
      log,
      shim,
      onServing: (held) => kubelet.useCertificate(held),
    }),
  );
  const mesh: MeshSync = running.add(
    new MeshSync({
      nodeName: name,
      nodeIP: options.advertiseAddress,
      client,
      clock,
      log,
      recorder,
      shim,
      state,
      nodes,
    }),
  );
  const reclaim = running.add(
    new VolumeReclaim({ client, clock, log, nodeName: name, volumesFolder, records }),
  );
  const refresh = running.add(new VolumeRefresh({ clock, log, records, sources }));
  const evict = (uid: string, message: string) => workers.evict(uid, message);
  const limits = running.add(new VolumeLimits({ clock, log, records, podDir: sources.podDir, evict }));
  running.add(registration);
  running.add(workers);

  nodes.start(stopping.signal);
  await workers.start();
  mesh.start();
  refresh.start();
  limits.start();
  reclaim.start();
  // The Node must be there before the server accepts what a node asks for.
  void registration.start().then(() => certificates.start());
  const endPods = async (periods: readonly ShutdownGracePeriod[]) => {
    const subject = { apiVersion: 'v1', kind: 'Node', name, uid: name };
    recorder.record(subject, 'Normal', 'NodeShutdown', 'Shutdown manager detected shutdown event');
    description.isShuttingDown = true;
    registration.refresh();
    workers.refusePods();
    const active = records().filter((record) => !hasPodEnded(record));
    const end = (record: PodRecord, seconds: number) => workers.terminate(record, seconds);
    await endInOrder({ periods, records: active, clock, end });
  };
  const stop = async (endAll: () => Promise<void> = async () => {}) => {
    stopping.abort();
    const cancel = clock.after(lastWordsMs, () => silence.abort(new Error('the agent is stopping')));
    try {
      await endAll();
    } finally {
      await running.stop().finally(cancel);
    }
  };
  return {
    kubeletPort: kubelet.port,
    pods: records,
    hasSynced: () => workers.hasSynced(),
    stop: () => stop(),
    async shutdown({ graceSeconds, periods = [] }) {
      if (periods.length > 0) await endPods(periods);
      await stop(async () => {
        await workers.stop();
        await shim.shutdown(graceSeconds);
      });
    },
  };
}

/** The real shim; its code is loaded when the first pod needs it. */
function shimOf(dataDir: string, log: Log): ConnectShim {
  return async ({ spawnIfAbsent }) => {
    const { connectShim } = await import('./runtimes/shim/client.ts');
    return connectShim({ dataDir, log, spawnIfAbsent });
  };
}

function exposed(metrics: Metrics, records: PodRecord[], ofShim = ''): string {
  const running = metrics.gauge('kubelet_running_pods', 'Number of pods that have a running pod sandbox');
  const containers = metrics.gauge('kubelet_running_containers', 'Number of containers currently running');
  const alive = (record: PodRecord) =>
    Object.values(record.containers).filter(({ phase }) => phase.kind === 'running').length;
  running.set(records.filter((record) => alive(record) > 0).length);
  containers.set(records.reduce((sum, record) => sum + alive(record), 0));
  return metrics.expose() + ofShim;
}
