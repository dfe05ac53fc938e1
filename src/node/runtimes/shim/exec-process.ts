import { type ChildProcess, spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import type { RouteTable } from '../../../mesh/route-table.ts';
import type { ProcessEnd, TerminalSize } from '../frames.ts';
import type { PodProcess } from '../isolate/applets/applet.ts';
import { type LaunchOptions, nodeArguments } from '../isolate/launch.ts';
import type { FromPod, ToPod } from '../isolate/messages.ts';
import type { ContainerSpec } from '../runtime.ts';
import { programOf } from './container.ts';
import { HandOver } from './hand-over.ts';
import { readPodChannel, watchSpawn } from './pod-channel.ts';
import { readProcessUsage } from './process-memory.ts';
import type { PemIdentity } from './protocol.ts';
import { exitCodeOf } from './signals.ts';

export interface ExecOptions {
  spec: ContainerSpec;
  command: string[];
  stdin: boolean;
  tty: boolean;
  launch: LaunchOptions;
  table: RouteTable | undefined;
  identity: PemIdentity | undefined;
  processes: PodProcess[];
  onMessage: (message: FromPod) => void;
  onEnd: (end: ProcessEnd) => void;
}

const memoryCheckMs = 250;

/**
 * A command beside a container's program: a process of its own, with the same files and the same limits. It gets no
 * workers and no native code even where the program may: those are for the image's own module.
 */
export class ExecProcess {
  readonly spec: ContainerSpec;
  readonly pid: number | undefined;
  readonly stdin: Writable | undefined;
  readonly stdout: Readable;
  readonly stderr: Readable;
  readonly #child: ChildProcess;
  readonly #handOver: HandOver;
  #problem: string | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ExecOptions) {
    const { launch, onEnd } = options;
    this.spec = { ...options.spec, grants: { ...options.spec.grants, worker: false, addons: false } };
    this.#child = watchSpawn(() =>
      spawn(process.execPath, nodeArguments(this.spec, launch), {
        cwd: this.spec.workingDir,
        env: { NODE_COMPILE_CACHE: launch.compileCacheDir },
        stdio: [options.stdin ? 'pipe' : 'ignore', 'pipe', 'pipe', 'ipc'],
        detached: true,
      }),
    );
    this.pid = this.#child.pid;
    this.#handOver = new HandOver(this.#child);
    // Asked for as pipes above.
    this.stdout = this.#child.stdout!;
    this.stderr = this.#child.stderr!;
    this.stdin = this.#child.stdin ?? undefined;
    this.stdin?.on('error', () => {});
    this.#child.once('error', (error) => {
      if (this.pid === undefined) onEnd({ message: error.message });
    });
    this.#child.once('close', (code, signal) => {
      clearInterval(this.#timer);
      const exitCode = exitCodeOf(code, signal);
      onEnd({ exitCode, ...(this.#problem !== undefined && { message: this.#problem }) });
    });
    if (this.pid === undefined) return;
    readPodChannel(this.#child, {
      onMessage: options.onMessage,
      onAbuse: (what) => this.kill(`the process ${what} on its control channel`),
    });
    this.#watchMemory();
    const { table, identity, tty, command, processes } = options;
    const program = { ...programOf({ ...this.spec, tty }, processes), command, isExec: true };
    this.send({ type: 'init', program, table, identity });
  }

  send(message: ToPod, socket?: Socket): boolean {
    return this.#handOver.send(message, socket);
  }

  resize(size: TerminalSize): void {
    this.send({ type: 'resize', size });
  }

  kill(why?: string): void {
    this.#problem ??= why;
    this.#child.kill('SIGKILL');
  }

  #watchMemory(): void {
    const { memoryLimitBytes } = this.spec;
    if (!memoryLimitBytes) return;
    this.#timer = setInterval(() => {
      const used = readProcessUsage(this.pid!)?.workingSetBytes ?? 0;
      if (used > memoryLimitBytes) this.kill('the process used more memory than its container may');
    }, memoryCheckMs).unref();
  }
}
