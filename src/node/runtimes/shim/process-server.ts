import { chmodSync, rmSync } from 'node:fs';
import net from 'node:net';
import type { Log } from '../../../base/log.ts';
import {
  decodeSize,
  frame,
  type ProcessEnd,
  type ProcessRequest,
  readFrames,
  stdinWindowBytes,
  writeFrame,
} from '../frames.ts';
import type { FromPod } from '../isolate/messages.ts';
import type { Container } from './container.ts';
import type { ExecProcess } from './exec-process.ts';
import type { Pods } from './pods.ts';

/** Commands, and clients attached, that one pod has at a time. */
export const sessionsPerPodMax = 32;
/** How much an attached client that doesn't read may be behind before it is cut off. */
export const attachUnsentBytesMax: number = 4 * 1024 * 1024;

/** The private socket over which the agent runs commands in containers and attaches to their programs. */
export class ProcessServer {
  readonly #pods: Pods;
  readonly #log: Log;
  readonly #onMessage: (caller: ExecProcess, message: FromPod) => void;
  readonly #server: net.Server;
  readonly #sessions = new Map<string, number>();
  readonly #execs = new Set<ExecProcess>();

  constructor(options: {
    pods: Pods;
    log: Log;
    onMessage: (caller: ExecProcess, message: FromPod) => void;
  }) {
    this.#pods = options.pods;
    this.#log = options.log;
    this.#onMessage = options.onMessage;
    this.#server = net.createServer((socket) => this.#accept(socket));
  }

  async listen(path: string): Promise<void> {
    rmSync(path, { force: true });
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject).listen(path, resolve);
    });
    chmodSync(path, 0o600);
    this.#server.on('error', () => {});
  }

  close(): void {
    this.#server.close();
    for (const each of this.#execs) each.kill();
  }

  /** Ends the commands of a container that has ended. */
  endOf(containerId: string): void {
    for (const each of this.#execs) if (each.spec.id === containerId) each.kill();
  }

  #accept(socket: net.Socket): void {
    socket.on('error', () => {});
    // What comes while the process is being started; the agent sends no more than its window.
    const early: [kind: number, content: Buffer][] = [];
    let onFrame = (kind: number, content: Buffer): void => {
      if (kind !== frame.request) return void socket.destroy();
      onFrame = (...next) => void early.push(next);
      const begun = (listener: typeof onFrame) => {
        onFrame = listener;
        for (const each of early.splice(0)) listener(...each);
      };
      const failed = (error: unknown) => end(socket, { message: (error as Error).message });
      this.#begin(socket, content).then(begun, failed);
    };
    readFrames(socket, (kind, content) => onFrame(kind, content));
  }

  /** Resolves to what takes in the client's frames. */
  async #begin(socket: net.Socket, content: Buffer): Promise<(kind: number, content: Buffer) => void> {
    // The agent wrote it: this socket is its own.
    const request = JSON.parse(content.toString()) as ProcessRequest;
    const container = this.#pods.running.find(({ spec }) => spec.id === request.id);
    if (container?.state.phase !== 'running') {
      throw new Error(`container "${request.id}" is not running`);
    }
    const { uid, name } = container.spec.pod;
    const count = this.#sessions.get(uid) ?? 0;
    if (count >= sessionsPerPodMax) {
      throw new Error(`pod "${name}" has ${sessionsPerPodMax} commands and attached clients; end one first`);
    }
    this.#sessions.set(uid, count + 1);
    socket.once('close', () => {
      const left = (this.#sessions.get(uid) ?? 1) - 1;
      if (left > 0) this.#sessions.set(uid, left);
      else this.#sessions.delete(uid);
    });
    if (request.kind === 'exec') return this.#exec(socket, container, request);
    return this.#attach(socket, container, request);
  }

  async #exec(
    socket: net.Socket,
    container: Container,
    request: ProcessRequest & { kind: 'exec' },
  ): Promise<(kind: number, content: Buffer) => void> {
    // Loaded at the first use: many nodes never need it.
    const { ExecProcess: Loaded } = await import('./exec-process.ts');
    const { command, stdin, tty } = request;
    const exec: ExecProcess = new Loaded({
      ...this.#pods.launching(container.spec),
      command,
      stdin,
      tty,
      onMessage: (message) => this.#onMessage(exec, message),
      onEnd: (how) => {
        this.#execs.delete(exec);
        this.#pods.removeCommand(exec);
        end(socket, how);
      },
    });
    this.#execs.add(exec);
    this.#pods.addCommand(exec);
    this.#log.debug('command started', { container: request.id, command: command[0], pid: exec.pid });
    const outputs = [
      [exec.stdout, frame.stdout],
      [exec.stderr, frame.stderr],
    ] as const;
    for (const [stream, kind] of outputs) {
      stream.on('data', (chunk: Buffer) => {
        if (writeFrame(socket, kind, chunk)) return;
        for (const [each] of outputs) each.pause();
      });
    }
    socket.on('drain', () => {
      for (const [stream] of outputs) stream.resume();
    });
    // Nobody is left to see what it does.
    socket.once('close', () => {
      exec.kill();
      for (const [stream] of outputs) stream.resume();
    });
    return stdinFrames(socket, exec.stdin, (size) => exec.resize(size));
  }

  #attach(
    socket: net.Socket,
    container: Container,
    request: ProcessRequest & { kind: 'attach' },
  ): (kind: number, content: Buffer) => void {
    const detach = container.attach({
      onOutput: (stream, chunk) => {
        writeFrame(socket, frame[stream], chunk);
        if (socket.writableLength > attachUnsentBytesMax) socket.destroy();
      },
      onExit: () => end(socket, { exitCode: container.state.exitCode ?? 0 }),
    });
    const stdin = request.stdin ? container.stdin : undefined;
    socket.once('close', () => {
      detach();
      if (stdin && container.spec.stdinOnce) stdin.end();
    });
    return stdinFrames(socket, stdin, (size) => container.send({ type: 'resize', size }), {
      endsWithClient: container.spec.stdinOnce === true,
    });
  }
}

/** Takes in what the client types. What the process hasn't taken counts against a window that the agent keeps to. */
function stdinFrames(
  socket: net.Socket,
  stdin: NodeJS.WritableStream | undefined,
  onResize: (size: { columns: number; rows: number }) => void,
  options: { endsWithClient: boolean } = { endsWithClient: true },
): (kind: number, content: Buffer) => void {
  let waiting = 0;
  return (kind, content) => {
    if (kind === frame.resize) {
      const size = decodeSize(content.toString());
      if (size) onResize(size);
    } else if (kind === frame.stdinEnd) {
      if (options.endsWithClient) stdin?.end();
    } else if (kind === frame.stdin) {
      waiting += content.length;
      if (waiting > 2 * stdinWindowBytes) return void socket.destroy();
      const taken = () => {
        waiting -= content.length;
        writeFrame(socket, frame.stdinTaken, String(content.length));
      };
      if (stdin?.writable) stdin.write(content, taken);
      else taken();
    }
  };
}

function end(socket: net.Socket, how: ProcessEnd): void {
  writeFrame(socket, frame.end, JSON.stringify(how));
  socket.end();
}
