import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import net, { type Socket } from 'node:net';
import path from 'node:path';
import { isRunning } from '../../../base/is-running.ts';
import type { Log } from '../../../base/log.ts';
import type { RouteTable } from '../../../mesh/route-table.ts';
import type { Runtime } from '../runtime.ts';
import { dialPod } from './dial-pod.ts';
import { type ShimPaths, shimPaths } from './paths.ts';
import { prepareModules } from './prepared-modules.ts';
import {
  type ContainerUsage,
  type ListenerSpec,
  type ListenerState,
  type PemIdentity,
  protocolVersion,
} from './protocol.ts';
import { ShimConnection } from './shim-connection.ts';

export type { ContainerUsage, ListenerSpec, ListenerState, PemIdentity } from './protocol.ts';

/** The node's shim as the agent sees it: the isolate runtime and all of the node's data-plane sockets. */
export interface ShimClient extends Runtime {
  readonly name: 'isolate';
  /** The shim's process id. */
  readonly pid: number;
  /** Replaces the routes in the shim and in every pod; the same version again costs nothing. */
  pushRoutes(table: RouteTable): Promise<void>;
  /** Gives a pod its certificate, at first and at every renewal. May come before or after the pod's containers start. */
  pushIdentity(podUid: string, identity: PemIdentity): Promise<void>;
  /** The node's own client certificate, with which LoadBalancer connections travel to other nodes. */
  pushNodeIdentity(identity: PemIdentity): Promise<void>;
  /** Forgets a pod's identity once its containers are removed. */
  forgetPod(podUid: string): Promise<void>;
  /** Opens and closes LoadBalancer listeners until exactly these are open; answers where each really listens. */
  setListeners(listeners: ListenerSpec[]): Promise<ListenerState[]>;
  /** Opens the mesh port that other nodes dial (port 0 picks one); answers the address taken. Asking again for the same costs nothing. */
  openMeshPort(address: { host: string; port: number }): Promise<{ host: string; port: number }>;
  /** Memory and CPU of every running container. */
  usage(): Promise<ContainerUsage[]>;
  /** Request telemetry of all pods on the node, and the shim's own, as Prometheus text. */
  metrics(): Promise<string>;
  /** Calls back when requests wait for a Service (`namespace/name`) that has no endpoint, and again while they do. */
  onHeld(listener: (service: string) => void): void;
  /** Calls back once when the connection to the shim is lost (it died, or `close` was called). */
  onDisconnect(listener: () => void): () => void;
  /** Lets go of the shim; it and its pods live on. */
  close(): Promise<void>;
  /** Stops all pods gracefully and ends the shim; resolves when its process is gone. */
  shutdown(options: { graceSeconds: number }): Promise<void>;
}

export interface ConnectOptions {
  /** The node's data folder (`<data>/node`). */
  dataDir: string;
  log: Log;
  /** Starts the shim, detached, if none answers; otherwise its absence is an error. */
  spawnIfAbsent: boolean;
}

/** How long a shim may take from its start to its first answer. */
export const startTimeoutMs = 10_000;

/** How long `shutdown` waits for the process once it has said goodbye. */
export const endTimeoutMs = 3_000;

/** Connects to the node's shim over its control socket, and starts one first if none answers and that is wanted. */
export async function connectShim(options: ConnectOptions): Promise<ShimClient> {
  const paths = shimPaths(options.dataDir);
  let socket = await tryConnect(paths.control);
  if (!socket && !options.spawnIfAbsent) {
    throw new Error(`no shim answers at ${paths.control}: no pod has been started on this node`);
  }
  if (!socket) {
    const { shimPath } = await prepareModules(paths.modulesDir);
    const endedEarly = spawnShim(shimPath, options.dataDir, paths);
    const deadlineMs = Date.now() + startTimeoutMs;
    for (let delayMs = 5; !socket; delayMs = Math.min(delayMs * 1.5, 100)) {
      const problem =
        endedEarly() ?? (Date.now() > deadlineMs ? `no answer within ${startTimeoutMs} ms` : undefined);
      if (problem) throw new Error(`the node's shim did not start: ${problem}; see ${paths.logFile}`);
      await new Promise((resolve) => setTimeout(resolve, delayMs));
      socket = await tryConnect(paths.control);
    }
  }
  const connection = new ShimConnection(socket);
  const { pid } = await connection.call('hello', { version: protocolVersion });
  return createClient({ connection, pid, paths });
}

function createClient(parts: { connection: ShimConnection; pid: number; paths: ShimPaths }): ShimClient {
  const { connection, pid, paths } = parts;
  let pushedVersion: string | undefined;
  return {
    name: 'isolate',
    pid,
    start: (spec) => connection.call('start', { spec }),
    stop: (id, { graceSeconds }) => connection.call('stop', { id, graceSeconds }),
    remove: (id) => connection.call('remove', { id }),
    list: () => connection.call('list', null),
    subscribe: (listener) => connection.subscribe(listener),
    open: async (request) => {
      const { openProcess } = await import('./remote-process.ts');
      return openProcess(paths.process, request);
    },
    dial: (target) => dialPod(paths.dial, target),
    pushRoutes: async (table) => {
      if (table.version === pushedVersion) return;
      await connection.call('setTable', { table });
      pushedVersion = table.version;
    },
    pushIdentity: (podUid, identity) => connection.call('setIdentity', { podUid, identity }),
    pushNodeIdentity: (identity) => connection.call('setNodeIdentity', { identity }),
    forgetPod: (podUid) => connection.call('forgetPod', { podUid }),
    setListeners: (listeners) => connection.call('setListeners', { listeners }),
    openMeshPort: (address) => connection.call('openMeshPort', address),
    usage: () => connection.call('usage', null),
    metrics: () => connection.call('metrics', null),
    onHeld: (listener) => connection.onHeld(listener),
    onDisconnect: (listener) => connection.onDisconnect(listener),
    close: () => connection.close(),
    shutdown: async ({ graceSeconds }) => {
      await connection.call('shutdown', { graceSeconds });
      await connection.closed;
      await processEnd(pid);
    },
  };
}

/** Until then it may still write to the data folder. Bounded, because a process that nobody reaps never goes. */
async function processEnd(pid: number): Promise<void> {
  const deadlineMs = Date.now() + endTimeoutMs;
  while (isRunning(pid) && Date.now() < deadlineMs) await new Promise((resolve) => setTimeout(resolve, 5));
}

function tryConnect(path: string): Promise<Socket | undefined> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ path });
    socket.once('connect', () => resolve(socket.removeAllListeners('error')));
    socket.once('error', (error: NodeJS.ErrnoException) => {
      // A socket file that nobody listens on is left from a shim that was killed; its successor replaces it.
      if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') resolve(undefined);
      else reject(error);
    });
  });
}

/** Starts the shim on its own, with nothing of ours but a place for its compiled code; answers how to ask why it ended. */
function spawnShim(shimPath: string, dataDir: string, paths: ShimPaths): () => string | undefined {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const stderr = openSync(paths.logFile, 'a', 0o600);
  const child = spawn(process.execPath, [...memoryFlags, shimPath, '--data-dir', path.resolve(dataDir)], {
    cwd: '/',
    detached: true,
    env: { NODE_COMPILE_CACHE: `${paths.compileCacheDir}-shim` },
    stdio: ['ignore', 'ignore', stderr],
  });
  closeSync(stderr);
  let ended: string | undefined;
  child.once('error', (error) => {
    ended = error.message;
  });
  child.once('exit', (code, signal) => {
    // Exit code 0 is that of a shim that found another one already there.
    if (code !== 0) ended = `it ended with ${signal ?? `exit code ${code}`}`;
  });
  child.unref();
  return () => ended;
}

/** A small heap that is collected often: the shim keeps little, and lives as long as the node. */
const memoryFlags = [
  '--no-warnings',
  '--max-old-space-size=256',
  '--max-semi-space-size=1',
  '--v8-pool-size=1',
];
