import { mkdirSync } from 'node:fs';
import type net from 'node:net';
import type { Log } from '../../../base/log.ts';
import { ControlServer, type ShimHandlers } from './control-server.ts';
import { Dialer } from './dialer.ts';
import { ConnectListener } from './inbound.ts';
import { LoadBalancer } from './load-balancer.ts';
import { modulesInPlace } from './modules-in-place.ts';
import { makeSocketDir, shimPaths } from './paths.ts';
import { PidFiles } from './pid-files.ts';
import { PodTelemetry } from './pod-telemetry.ts';
import { Pods } from './pods.ts';
import { ProcessServer } from './process-server.ts';
import { protocolVersion } from './protocol.ts';
import { SocketPairs } from './socket-pairs.ts';

export interface ShimOptions {
  dataDir: string;
  log: Log;
  /** How long to stay with neither agent nor pods. */
  idleMs: number;
  /** Called once the shim has nothing left to do. */
  onDone: () => void;
}

/** A node's data plane: pods, their sockets, and the agent's control over both. Resolves when it answers. */
export async function startShim(
  options: ShimOptions,
): Promise<{ stop(graceSeconds: number): Promise<void> }> {
  const { log } = options;
  const paths = shimPaths(options.dataDir);
  mkdirSync(options.dataDir, { recursive: true, mode: 0o700 });
  makeSocketDir(paths);
  const pidFiles = new PidFiles(paths.pidsDir);
  const killed = pidFiles.killLeftovers();
  if (killed > 0) log.warn('ended processes that a shim before left behind', { killed });

  const telemetry = new PodTelemetry();
  const pairs = new SocketPairs(paths.pair);
  const pods: Pods = new Pods({
    log,
    modules: modulesInPlace(),
    compileCacheDir: paths.compileCacheDir,
    pidFiles,
    onState: (state) => {
      if (state.phase === 'exited') processes.endOf(state.id);
      control.broadcast(state);
      idle.check();
    },
    onMessage: (container, message) => {
      if (message.type === 'dial') void dialer.answer(container, message);
      if (message.type === 'telemetry') telemetry.add(container, message.rows);
      if (message.type === 'held') control.tellHeld(message.service);
    },
  });
  const dialer = new Dialer({ pods, pairs });
  const processes = new ProcessServer({
    pods,
    log,
    onMessage: (caller, message) => {
      if (message.type === 'dial') void dialer.answer(caller, message);
      if (message.type === 'held') control.tellHeld(message.service);
    },
  });
  const loadBalancer = new LoadBalancer({
    pods,
    dialer,
    log,
    onHold: (service) => control.tellHeld(service),
  });
  const meshPort = new MeshPort(pods);
  const dialSocket = new ConnectListener({ pods, isTls: false });
  const handlers: ShimHandlers = {
    hello: ({ version }) => {
      if (version === protocolVersion) return { pid: process.pid };
      throw new Error(
        `this node's shim speaks protocol ${protocolVersion}, the agent ${version}; stop the shim (pid ${process.pid}) to restart its pods under the new version`,
      );
    },
    start: ({ spec }) => pods.start(spec),
    stop: ({ id, graceSeconds }) => pods.stop(id, graceSeconds),
    remove: ({ id }) => pods.remove(id),
    list: () => pods.list(),
    setTable: ({ table }) => {
      pods.setTable(table);
      loadBalancer.recheck();
    },
    setIdentity: ({ podUid, identity }) => pods.setIdentity(podUid, identity),
    setNodeIdentity: ({ identity }) => loadBalancer.setIdentity(identity),
    forgetPod: ({ podUid }) => pods.forgetPod(podUid),
    setListeners: ({ listeners }) => loadBalancer.setListeners(listeners),
    openMeshPort: (address) => meshPort.open(address),
    usage: () => pods.usage(),
    metrics: () => telemetry.expose(),
    shutdown: async ({ graceSeconds }) => {
      await pods.stopAll(graceSeconds);
      setImmediate(finish);
    },
  };
  const idle = new IdleTimer({
    idleMs: options.idleMs,
    isIdle: () => agents === 0 && pods.running.length === 0,
    onIdle: () => finish(),
  });
  let agents = 0;
  const control = new ControlServer({
    handlers,
    log,
    onAgents: (count) => {
      agents = count;
      idle.check();
    },
  });
  await pairs.open();
  await dialSocket.listen({ path: paths.dial });
  await processes.listen(paths.process);
  await control.listen(paths.control);
  idle.check();

  function finish(): void {
    control.close();
    dialSocket.close();
    processes.close();
    meshPort.close();
    loadBalancer.close();
    pairs.close();
    options.onDone();
  }

  return {
    stop: async (graceSeconds) => {
      await pods.stopAll(graceSeconds);
      finish();
    },
  };
}

/** The port that other nodes dial; it stays where it is while the same address is asked for. */
class MeshPort {
  readonly #pods: Pods;
  #listener: ConnectListener | undefined;
  #asked = '';

  constructor(pods: Pods) {
    this.#pods = pods;
  }

  async open(address: { host: string; port: number }): Promise<{ host: string; port: number }> {
    const asked = `${address.host}:${address.port}`;
    if (!this.#listener || this.#asked !== asked) {
      const listener = new ConnectListener({ pods: this.#pods, isTls: true });
      await listener.listen(address);
      this.#listener?.close();
      this.#listener = listener;
      this.#asked = asked;
    }
    // Bound to a host and port, so the address is an AddressInfo.
    const bound = this.#listener.address as net.AddressInfo;
    return { host: bound.address, port: bound.port };
  }

  close(): void {
    this.#listener?.close();
  }
}

/** Ends the shim when it has had nothing to do for a while. */
class IdleTimer {
  readonly #options: { idleMs: number; isIdle: () => boolean; onIdle: () => void };
  #timer: NodeJS.Timeout | undefined;

  constructor(options: { idleMs: number; isIdle: () => boolean; onIdle: () => void }) {
    this.#options = options;
  }

  check(): void {
    const { idleMs, isIdle, onIdle } = this.#options;
    if (!isIdle()) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
    } else {
      this.#timer ??= setTimeout(onIdle, idleMs);
    }
  }
}
