import { endpointSlice as endpointSliceKind, service as serviceKind } from '../api/addresses.ts';
import type { EndpointSlice } from '../api/kinds/endpointSlice.ts';
import type { Node } from '../api/kinds/node.ts';
import type { Service } from '../api/kinds/service.ts';
import { type CancelTimer, type Clock, sleep } from '../base/clock.ts';
import { messageOf } from '../base/errors.ts';
import type { Running } from '../base/lifecycle.ts';
import type { Log } from '../base/log.ts';
import { backoffMs } from '../client/backoff.ts';
import type { Client } from '../client/client.ts';
import type { EventRecorder } from '../client/events.ts';
import { createInformer, type Informer } from '../client/informer.ts';
import { compileRoutes, nodesWithoutAddress } from '../mesh/compile.ts';
import type { RouteTable } from '../mesh/route-table.ts';
import { HealthCheckPorts, healthChecksFor } from './health-check-ports.ts';
import { listenersFor, reportListeners } from './load-balancers.ts';
import { NamedNodes } from './named-nodes.ts';
import { NodePortReports, nodePortsFor } from './node-ports.ts';
import type { ListenerSpec, ListenerState } from './runtimes/shim/client.ts';
import type { ShimLink } from './shim-link.ts';
import type { NodeState } from './state.ts';

export interface MeshSyncOptions {
  nodeName: string;
  /** The node's own address, at which its node ports are. */
  nodeIP: string;
  client: Client;
  clock: Clock;
  log: Log;
  recorder: EventRecorder;
  shim: ShimLink;
  state: NodeState;
  /** This node alone. */
  nodes: Informer<Node>;
}

/** Changes that come within this time become one route table. */
const coalesceMs = 20;
/** A pod's start waits for the first routes so long at most. */
const firstRoutesMs = 5_000;
const retry = { initialMs: 500, maxMs: 30_000 };

/**
 * Follows Services, EndpointSlices and its own Node, and keeps the shim's routes and LoadBalancer listeners as they say. The
 * last of both is kept on disk, so that pods that start again offline find each other and can be reached.
 */
export class MeshSync implements Running {
  readonly #options: MeshSyncOptions;
  readonly #services: Informer<Service>;
  readonly #slices: Informer<EndpointSlice>;
  readonly #others: NamedNodes;
  readonly #stopping = new AbortController();
  #timer: CancelTimer | undefined;
  #listening: Promise<void> | undefined;
  #isDirty = false;
  #hasSynced = false;
  #table: RouteTable | undefined;
  #wanted: ListenerSpec[] = [];
  #listenersKey = '[]';
  #states: ListenerState[] = [];
  readonly #nodePortReports = new NodePortReports();
  readonly #healthChecks: HealthCheckPorts;
  readonly #synced = Promise.withResolvers<void>();

  constructor(options: MeshSyncOptions) {
    this.#options = options;
    const { client, clock, log, nodeIP } = options;
    this.#healthChecks = new HealthCheckPorts({ host: nodeIP, log });
    const onChange = () => this.#changed();
    this.#others = new NamedNodes({ client, clock, log, onChange });
    this.#services = createInformer<Service>({ client, kind: serviceKind, clock, log, onChange });
    this.#slices = createInformer<EndpointSlice>({ client, kind: endpointSliceKind, clock, log, onChange });
  }

  start(): void {
    const { shim, state, nodes } = this.#options;
    // It was saved below as such.
    this.#table = state.fact('routes') as RouteTable | undefined;
    this.#wanted = (state.fact('listeners') as ListenerSpec[] | undefined) ?? [];
    shim.onConnected(() => {
      this.#pushTable();
      this.#listenersKey = '[]';
      this.#changed();
    });
    shim.onLost(() => {
      this.#listenersKey = '[]';
      this.#changed();
    });
    nodes.onEvent(() => this.#changed());
    this.#changed();
    for (const informer of [this.#services, this.#slices]) informer.start(this.#stopping.signal);
    Promise.all([this.#services, this.#slices, nodes].map((each) => each.hasSynced())).then(
      () => {
        this.#hasSynced = true;
        this.#compile();
        this.#synced.resolve();
        this.#changed();
      },
      () => {},
    );
  }

  /** The routes as last known; of a node that never knew any, once it does, or undefined if that takes long. */
  async known(): Promise<RouteTable | undefined> {
    if (this.#table) return this.#table;
    const { clock } = this.#options;
    const waited = new AbortController();
    const signal = AbortSignal.any([this.#stopping.signal, waited.signal]);
    await Promise.race([this.#synced.promise, sleep(clock, firstRoutesMs, signal)]);
    waited.abort();
    return this.#table;
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#timer?.();
    await this.#others.stop();
    await this.#listening;
    this.#healthChecks.close();
  }

  #changed(): void {
    if (this.#stopping.signal.aborted || this.#timer) return;
    this.#timer = this.#options.clock.after(coalesceMs, () => {
      this.#timer = undefined;
      // Routes wait for no listener, and for no API server to be told of one.
      if (this.#hasSynced) this.#compile();
      this.#isDirty = true;
      this.#listening ??= this.#keepListening();
    });
  }

  async #keepListening(): Promise<void> {
    const { log, clock } = this.#options;
    for (let failures = 0; this.#isDirty && !this.#stopping.signal.aborted; ) {
      this.#isDirty = false;
      try {
        await this.#listen();
        failures = 0;
      } catch (error) {
        log.debug('listeners not in step, will retry', { error: messageOf(error) });
        this.#isDirty = true;
        await sleep(clock, backoffMs(++failures, retry), this.#stopping.signal);
      }
    }
    this.#listening = undefined;
  }

  #compile(): void {
    const { nodeName, nodes, state, log } = this.#options;
    const endpointSlices = this.#slices.list() as Parameters<typeof compileRoutes>[0]['endpointSlices'];
    const others = this.#others.of(nodesWithoutAddress(endpointSlices, nodeName));
    const table = compileRoutes({
      // The kinds' types allow undefined where the mesh's inputs leave fields out; both mean the same.
      services: this.#services.list() as Parameters<typeof compileRoutes>[0]['services'],
      endpointSlices,
      nodes: [...nodes.list(), ...others],
      node: nodeName,
    });
    if (table.version === this.#table?.version) return;
    this.#table = table;
    this.#pushTable();
    try {
      state.saveFact('routes', table);
    } catch (error) {
      log.warn('routes not kept for an offline start', { error: messageOf(error) });
    }
  }

  #pushTable(): void {
    const { shim, log } = this.#options;
    if (!this.#table) return;
    shim.current?.pushRoutes(this.#table).catch((error: unknown) => {
      log.warn('routes not given to the shim', { error: messageOf(error) });
    });
  }

  async #listen(): Promise<void> {
    const { nodeName, nodeIP, shim, state, client, recorder, log } = this.#options;
    const services = this.#services.list();
    if (this.#hasSynced) {
      this.#wanted = [...listenersFor(services, nodeName), ...nodePortsFor(services, nodeIP)];
    }
    const key = JSON.stringify(this.#wanted);
    if (key !== this.#listenersKey) {
      // A node without listeners needs no shim for them.
      const link = this.#wanted.length > 0 ? await shim.ensure() : shim.current;
      this.#states = (await link?.setListeners(this.#wanted)) ?? [];
      this.#listenersKey = key;
      state.saveFact('listeners', this.#wanted);
    }
    if (!this.#hasSynced) return;
    await this.#healthChecks.set(healthChecksFor(services, this.#slices.list(), nodeName));
    this.#nodePortReports.report(this.#states, { services, recorder });
    const ownAddress = this.#states.filter(({ nodePort }) => nodePort === undefined);
    await reportListeners(ownAddress, { services, client, recorder, log });
  }
}
