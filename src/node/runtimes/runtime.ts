import type { Readable, Writable } from 'node:stream';
import type { ProcessEnd, ProcessRequest, TerminalSize } from './frames.ts';

/** What a runtime needs in order to run one container of a pod. Paths are absolute on the node. */
export interface ContainerSpec {
  /** Unique for each attempt: `<pod uid>/<container>/<restart count>`. */
  id: string;
  pod: {
    namespace: string;
    name: string;
    uid: string;
    ip: string;
    serviceAccount: string;
    labels: Record<string, string>;
    /** Names of its own, in lower case, and the addresses that they stand for. */
    hostAliases?: Readonly<Record<string, string>>;
  };
  container: string;
  /** The image's unpacked root folder. */
  rootDir: string;
  /** argv after the interpreter: the entry module first (a path on the node), then its arguments. */
  command: string[];
  workingDir: string;
  env: Record<string, string>;
  /** Volume mounts: what the container sees at `mountPath` lies at `hostPath` on the node. */
  mounts: { mountPath: string; hostPath: string; readOnly: boolean }[];
  memoryLimitBytes?: number | undefined;
  /**
   * What the pod may do beyond the default of nothing. Only `egress` keeps the sandbox whole: addons are native code,
   * and a worker can be started with permissions of its own (tried on Node 26), so both are for trusted images.
   * `localEgress` lets `egress` reach the node's own loopback and link-local addresses.
   */
  grants: { worker: boolean; addons: boolean; egress: string[]; localEgress?: true };
  /** CRI-format log file; the runtime rotates it. */
  logPath: string;
  logBytesMax: number;
  logFilesMax: number;
  /** Whether clients may write to its standard input; otherwise that is at its end from the start. */
  stdin?: boolean;
  /** Standard input ends with the first client that was attached to it. */
  stdinOnce?: boolean;
  /** Standard input is a terminal's. */
  tty?: boolean;
}

/** A command in a container, or the container's own program as an attached client sees it. */
export interface RunningProcess {
  stdin: Writable;
  stdout: Readable;
  stderr: Readable;
  resize(size: TerminalSize): void;
  /** Resolves once it has ended and all of its output has been given out. */
  ended: Promise<ProcessEnd>;
  /** Ends a command; lets go of a program that was attached to. */
  kill(): void;
}

export interface ContainerState {
  id: string;
  phase: 'starting' | 'running' | 'exited';
  pid?: number | undefined;
  /** True once the program answers on its port (its fetch handler is loaded, or it called listen). */
  listening: boolean;
  /** True once a program that listens nowhere has been loaded. */
  isLoaded?: boolean | undefined;
  startedAtMs: number;
  finishedAtMs?: number | undefined;
  exitCode?: number | undefined;
  /** `OOMKilled`, `Error`, `Completed` or `ContainerCannotRun`. */
  reason?: string | undefined;
  message?: string | undefined;
}

/** One way of running containers. Every implementation passes the contract suite in `runtime.contract.ts`. */
export interface Runtime {
  readonly name: 'isolate' | 'container';
  /** Resolves when the process exists; a spec that can't be started ends as an `exited` state, not a throw. */
  start(spec: ContainerSpec): Promise<void>;
  /** SIGTERM, then SIGKILL after the grace period; resolves when it has exited. Unknown ids resolve at once. */
  stop(id: string, options: { graceSeconds: number }): Promise<void>;
  /** Forgets an exited container. */
  remove(id: string): Promise<void>;
  list(): Promise<ContainerState[]>;
  /** Calls back on every change of state until the returned function is called. */
  subscribe(listener: (state: ContainerState) => void): () => void;
  /** Runs a command, or attaches to the program, of a running container. */
  open(request: ProcessRequest): Promise<RunningProcess>;
  /** An open byte stream to a port of a running pod, as a probe, a port-forward or the node proxy needs it. */
  dial(target: { podIP: string; port: number; signal?: AbortSignal }): Promise<import('node:net').Socket>;
}
