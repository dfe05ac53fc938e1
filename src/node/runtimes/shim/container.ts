import { type ChildProcess, spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import type { Writable } from 'node:stream';
import type { RouteTable } from '../../../mesh/route-table.ts';
import type { PodProcess } from '../isolate/applets/applet.ts';
import type { RequestLoad } from '../isolate/inbound-load.ts';
import { type LaunchOptions, nodeArguments } from '../isolate/launch.ts';
import type { FromPod, Program, ToPod } from '../isolate/messages.ts';
import type { ContainerSpec, ContainerState } from '../runtime.ts';
import { HandOver } from './hand-over.ts';
import { LogFile } from './log-file.ts';
import { readPodChannel, watchSpawn } from './pod-channel.ts';
import { readProcessUsage } from './process-memory.ts';
import type { PemIdentity } from './protocol.ts';
import { exitCodeOf } from './signals.ts';

export interface ContainerEvents {
  onState: (state: ContainerState) => void;
  onMessage: (message: FromPod) => void;
}

/** Somebody who sees what the program prints. */
export interface AttachedClient {
  onOutput: (stream: 'stdout' | 'stderr', chunk: Buffer) => void;
  onExit: () => void;
}

interface ExitReport {
  exitCode: number;
  reason: string;
  message?: string;
}

/** How much of the error output is kept for the exit message. */
const tailChars = 1024;

/** How much of what it prints is kept for the one client that a container was started for. */
export const unseenBytesMax: number = 256 * 1024;

/** One isolate process: its life, its output, and the way to hand it messages and sockets. */
export class Container {
  readonly spec: ContainerSpec;
  ports: number[] = [];
  isStopping = false;
  /** What its servers had to do; undefined before anybody asked them. */
  load: RequestLoad | undefined;
  readonly #events: ContainerEvents;
  readonly #log: LogFile;
  #state: ContainerState;
  #child: ChildProcess | undefined;
  #handOver: HandOver | undefined;
  #stderrTail = '';
  #killReason: { reason: string; message: string } | undefined;
  readonly #exited = Promise.withResolvers<void>();
  readonly #clients = new Set<AttachedClient>();
  #unseen: [stream: 'stdout' | 'stderr', chunk: Buffer][] | undefined;
  #unseenBytes = 0;

  constructor(spec: ContainerSpec, events: ContainerEvents) {
    this.spec = spec;
    this.#events = events;
    this.#log = new LogFile({ path: spec.logPath, bytesMax: spec.logBytesMax, filesMax: spec.logFilesMax });
    this.#state = { id: spec.id, phase: 'starting', listening: false, startedAtMs: Date.now() };
    if (spec.stdinOnce) this.#unseen = [];
  }

  get state(): ContainerState {
    return this.#state;
  }

  get exited(): Promise<void> {
    return this.#exited.promise;
  }

  /** Can take connections. */
  get isServing(): boolean {
    return this.#state.listening && this.#state.phase === 'running' && !this.isStopping;
  }

  start(launch: LaunchOptions, table: RouteTable | undefined, identity: PemIdentity | undefined): void {
    const { spec } = this;
    if (this.isStopping) {
      this.#finish({ exitCode: 137, reason: 'Error', message: 'stopped before it was started' });
      return;
    }
    let child: ChildProcess;
    try {
      const args = nodeArguments(spec, launch);
      child = watchSpawn(() =>
        // Nothing of the shim's environment; the program's own comes by message, too late to change the sandbox. A
        // process group of its own, so that a signal to "my group" reaches no one else.
        spawn(process.execPath, args, {
          cwd: spec.workingDir,
          env: { NODE_COMPILE_CACHE: launch.compileCacheDir },
          stdio: [spec.stdin ? 'pipe' : 'ignore', 'pipe', 'pipe', 'ipc'],
          detached: true,
        }),
      );
    } catch (error) {
      this.fail((error as Error).message);
      return;
    }
    this.#child = child;
    this.#handOver = new HandOver(child);
    child.stdin?.on('error', () => {});
    child.stdout!.on('data', (chunk: Buffer) => this.#printed('stdout', chunk));
    child.stderr!.on('data', (chunk: Buffer) => {
      this.#printed('stderr', chunk);
      this.#stderrTail = (this.#stderrTail + chunk.toString('utf8')).slice(-tailChars);
    });
    child.once('error', (error) => {
      if (child.pid === undefined) this.fail(error.message);
    });
    child.once('close', (code, signal) => this.#onExit(code, signal));
    if (child.pid === undefined) return;
    readPodChannel(child, {
      onMessage: (message) => this.#onMessage(message),
      onAbuse: (what) => this.kill('Error', `the container ${what} on its control channel`),
    });
    this.#change({ phase: 'running', pid: child.pid });
    const program = programOf(spec, []);
    this.send({ type: 'init', program, table, identity });
  }

  get stdin(): Writable | undefined {
    return this.#child?.stdin ?? undefined;
  }

  /**
   * Tells what is printed from now on, and the end, until the returned function is called. A container that serves one
   * client (`stdinOnce`) is told from its start, so that one that is quicker than its client loses nothing.
   */
  attach(client: AttachedClient): () => void {
    const unseen = this.#unseen ?? [];
    this.#unseen = undefined;
    for (const [stream, chunk] of unseen) client.onOutput(stream, chunk);
    this.#clients.add(client);
    return () => this.#clients.delete(client);
  }

  #printed(stream: 'stdout' | 'stderr', chunk: Buffer): void {
    this.#log.write(stream, chunk);
    for (const client of this.#clients) client.onOutput(stream, chunk);
    this.#keepUnseen(stream, chunk);
  }

  #keepUnseen(stream: 'stdout' | 'stderr', chunk: Buffer): void {
    if (!this.#unseen) return;
    this.#unseen.push([stream, chunk]);
    this.#unseenBytes += chunk.length;
    while (this.#unseenBytes > unseenBytesMax) this.#unseenBytes -= this.#unseen.shift()![1].length;
  }

  /** Ends as a container that never ran. */
  fail(message: string): void {
    this.#finish({ exitCode: 128, reason: 'ContainerCannotRun', message });
  }

  send(message: ToPod, socket?: Socket): boolean {
    return this.#handOver?.send(message, socket) ?? false;
  }

  async stop(graceSeconds: number): Promise<void> {
    if (this.#state.phase === 'exited') return;
    // Told once: a program may take a second signal as an order to hurry. Who asks again can only shorten the wait.
    if (!this.isStopping) this.#child?.kill('SIGTERM');
    this.isStopping = true;
    const timer = setTimeout(() => this.#child?.kill('SIGKILL'), graceSeconds * 1000);
    await this.exited;
    clearTimeout(timer);
  }

  kill(reason: string, message: string): void {
    this.#killReason ??= { reason, message };
    this.#child?.kill('SIGKILL');
  }

  /** Kills the container when it has allocated more than its limit. */
  checkMemory(): void {
    const { memoryLimitBytes } = this.spec;
    const pid = this.#state.phase === 'running' ? this.#state.pid : undefined;
    if (!memoryLimitBytes || pid === undefined) return;
    const used = readProcessUsage(pid)?.workingSetBytes ?? 0;
    if (used <= memoryLimitBytes) return;
    const message = `used ${toMiB(used)} MiB of memory, its limit is ${toMiB(memoryLimitBytes)} MiB`;
    this.kill('OOMKilled', message);
  }

  #onMessage(message: FromPod): void {
    if (message.type === 'listening') {
      this.ports = message.ports;
      this.#change({ listening: true });
    } else if (message.type === 'load') {
      const { requests, busyMs, active } = message;
      this.load = { requests, busyMs, active };
    } else if (message.type === 'loaded') {
      this.#change({ isLoaded: true });
    } else {
      this.#events.onMessage(message);
    }
  }

  #onExit(code: number | null, signal: NodeJS.Signals | null): void {
    this.#log.close();
    if (this.#state.phase === 'exited') return;
    this.#finish(this.#explainExit(exitCodeOf(code, signal), signal));
  }

  #explainExit(exitCode: number, signal: NodeJS.Signals | null): ExitReport {
    if (this.#killReason) return { exitCode: 137, ...this.#killReason };
    // V8 ends the process itself when the heap is full.
    if (signal === 'SIGABRT' && this.#stderrTail.includes('heap out of memory')) {
      return { exitCode: 137, reason: 'OOMKilled', message: 'the JavaScript heap was full' };
    }
    if (exitCode === 0) return { exitCode, reason: 'Completed' };
    const tail = this.#stderrTail.trim();
    return { exitCode, reason: 'Error', ...(tail !== '' && { message: tail }) };
  }

  #finish(end: ExitReport): void {
    this.#change({ phase: 'exited', listening: false, finishedAtMs: Date.now(), ...end });
    this.#exited.resolve();
    for (const client of this.#clients) client.onExit();
    this.#clients.clear();
  }

  #change(change: Partial<ContainerState>): void {
    this.#state = { ...this.#state, ...change };
    this.#events.onState(this.#state);
  }
}

function toMiB(bytes: number): number {
  return Math.round(bytes / 2 ** 20);
}

/** What the process is to run, and what it is told of its pod. */
export function programOf(spec: ContainerSpec, processes: PodProcess[]): Program {
  const { command, workingDir, env, pod, rootDir, mounts, tty } = spec;
  return {
    command,
    workingDir,
    env: { ...(tty && { TERM: 'xterm' }), ...env, ...mountsVariable(spec) },
    namespace: pod.namespace,
    podName: pod.name,
    podIP: pod.ip,
    ...(pod.hostAliases && { hostAliases: pod.hostAliases }),
    files: { rootDir, mounts },
    processes,
    ...(tty && { tty }),
  };
}

/** An isolate has no file system of its own: it is told where on the node each of its mounts lies. */
function mountsVariable({ mounts }: ContainerSpec): Record<string, string> {
  if (mounts.length === 0) return {};
  return {
    SELVAGE_MOUNTS: JSON.stringify(
      Object.fromEntries(mounts.map((mount) => [mount.mountPath, mount.hostPath])),
    ),
  };
}
