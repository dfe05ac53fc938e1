import { connect, type Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import type { Pod } from '../api/kinds/pod.ts';
import type { RouteTable } from '../mesh/route-table.ts';
import type { ProcessEnd, ProcessRequest } from './runtimes/frames.ts';
import type { ContainerSpec, ContainerState, RunningProcess } from './runtimes/runtime.ts';
import type { ListenerSpec, ListenerState, PemIdentity, ShimClient } from './runtimes/shim/client.ts';

/** A pod as the API server would show it, bound to a node. */
export function podOf(
  spec: Partial<NonNullable<Pod['spec']>> = {},
  metadata: Partial<NonNullable<Pod['metadata']>> = {},
): Pod {
  return {
    metadata: { name: 'web', namespace: 'default', uid: 'u1', ...metadata },
    spec: {
      nodeName: 'n1',
      restartPolicy: 'Always',
      terminationGracePeriodSeconds: 30,
      containers: [{ name: 'web', image: 'web:1' }],
      ...spec,
    },
  } as Pod;
}

/** A shim without processes: tests say what its containers do. It outlives the clients that connect to it. */
export class FakeShim {
  readonly specs = new Map<string, ContainerSpec>();
  readonly states = new Map<string, ContainerState>();
  readonly stops: { id: string; graceSeconds: number }[] = [];
  readonly identities = new Map<string, PemIdentity>();
  readonly removed: string[] = [];
  readonly clients = new Set<FakeShimClient>();
  /** Where a pod's port really is, for probes: `<ip>:<port>` to a port on loopback. */
  readonly ports = new Map<string, number>();
  starts = 0;
  routes: RouteTable | undefined;
  listeners: ListenerSpec[] = [];
  /** What becomes of a container that is started, and of one that is stopped. */
  onStart: (shim: FakeShim, id: string) => void = (shim, id) => shim.run(id);
  onStop: (shim: FakeShim, id: string) => void = (shim, id) => shim.exit(id, 143);
  nowMs: () => number = Date.now;
  /** Commands that were asked for, and what becomes of one. */
  readonly processes: ProcessRequest[] = [];
  onProcess: (request: ProcessRequest, process: RunningProcess) => Promise<ProcessEnd> = async () => ({
    exitCode: 0,
  });

  connect = async (): Promise<ShimClient> => {
    const client = new FakeShimClient(this);
    this.clients.add(client);
    return client;
  };

  /** The container's program listens. */
  run(id: string): void {
    this.#change(id, { phase: 'running', listening: true, pid: 1 });
  }

  exit(id: string, exitCode: number): void {
    const reason = exitCode === 0 ? 'Completed' : 'Error';
    this.#change(id, { phase: 'exited', listening: false, exitCode, reason, finishedAtMs: this.nowMs() });
  }

  /** The shim and all that it ran are gone. */
  die(): void {
    this.states.clear();
    for (const client of this.clients) client.lose();
    this.clients.clear();
  }

  #change(id: string, change: Partial<ContainerState>): void {
    const state = { ...this.states.get(id)!, ...change };
    this.states.set(id, state);
    for (const client of this.clients) client.tell(state);
  }
}

class FakeShimClient implements ShimClient {
  readonly name = 'isolate' as const;
  readonly pid = 1;
  readonly #shim: FakeShim;
  readonly #listeners = new Set<(state: ContainerState) => void>();
  readonly #lost = new Set<() => void>();

  constructor(shim: FakeShim) {
    this.#shim = shim;
  }

  async start(spec: ContainerSpec): Promise<void> {
    const shim = this.#shim;
    shim.starts++;
    shim.specs.set(spec.id, spec);
    const startedAtMs = shim.nowMs();
    shim.states.set(spec.id, { id: spec.id, phase: 'starting', listening: false, startedAtMs });
    queueMicrotask(() => shim.onStart(shim, spec.id));
  }

  async stop(id: string, { graceSeconds }: { graceSeconds: number }): Promise<void> {
    const state = this.#shim.states.get(id);
    if (!state || state.phase === 'exited') return;
    this.#shim.stops.push({ id, graceSeconds });
    this.#shim.onStop(this.#shim, id);
  }

  async remove(id: string): Promise<void> {
    this.#shim.states.delete(id);
    this.#shim.removed.push(id);
  }

  async list(): Promise<ContainerState[]> {
    return [...this.#shim.states.values()];
  }

  subscribe(listener: (state: ContainerState) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async dial({ podIP, port }: { podIP: string; port: number }): Promise<Socket> {
    const real = this.#shim.ports.get(`${podIP}:${port}`);
    if (real === undefined) throw new Error(`connect ECONNREFUSED ${podIP}:${port}`);
    return connect(real, '127.0.0.1');
  }

  async open(request: ProcessRequest): Promise<RunningProcess> {
    const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
    const ended = Promise.withResolvers<ProcessEnd>();
    const process: RunningProcess = {
      stdin,
      stdout,
      stderr,
      resize: () => {},
      ended: ended.promise,
      kill: () => ended.resolve({ message: 'killed' }),
    };
    this.#shim.processes.push(request);
    queueMicrotask(async () => {
      const end = await this.#shim.onProcess(request, process);
      stdout.end();
      stderr.end();
      ended.resolve(end);
    });
    return process;
  }

  async pushRoutes(table: RouteTable): Promise<void> {
    this.#shim.routes = table;
  }

  async pushIdentity(podUid: string, identity: PemIdentity): Promise<void> {
    this.#shim.identities.set(podUid, identity);
  }

  async pushNodeIdentity(identity: PemIdentity): Promise<void> {
    this.#shim.identities.set('node', identity);
  }

  async forgetPod(podUid: string): Promise<void> {
    this.#shim.identities.delete(podUid);
  }

  async setListeners(listeners: ListenerSpec[]): Promise<ListenerState[]> {
    this.#shim.listeners = listeners;
    return listeners.map((each) => ({ ...each, boundIP: each.ip, boundPort: each.port + 8000 }));
  }

  async openMeshPort({ host, port }: { host: string; port: number }) {
    return { host, port: port || 15008 };
  }

  async usage() {
    return [...this.#shim.states.keys()].map((id) => ({
      id,
      workingSetBytes: 1,
      rssBytes: 2,
      cpuSeconds: 3,
    }));
  }

  async metrics(): Promise<string> {
    return '# HELP fake\n';
  }

  onHeld(): void {}

  onDisconnect(listener: () => void): () => void {
    this.#lost.add(listener);
    return () => this.#lost.delete(listener);
  }

  async close(): Promise<void> {
    this.#shim.clients.delete(this);
    this.#listeners.clear();
  }

  async shutdown(): Promise<void> {
    this.#shim.states.clear();
    await this.close();
  }

  tell(state: ContainerState): void {
    for (const listener of this.#listeners) listener(state);
  }

  lose(): void {
    for (const listener of this.#lost) listener();
  }
}
