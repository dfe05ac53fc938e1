import type { Socket } from 'node:net';
import type { Log } from '../../../base/log.ts';
import type { RouteTable } from '../../../mesh/route-table.ts';
import { findEscapingLink } from '../isolate/escaping-links.ts';
import type { LaunchOptions } from '../isolate/launch.ts';
import { commandMarker, type FromPod } from '../isolate/messages.ts';
import type { ContainerSpec, ContainerState } from '../runtime.ts';
import { CompileCache } from './compile-cache.ts';
import { Container } from './container.ts';
import type { ExecOptions, ExecProcess } from './exec-process.ts';
import type { ShimModules } from './modules-in-place.ts';
import type { PidFiles } from './pid-files.ts';
import { readProcessUsage } from './process-memory.ts';
import type { ContainerUsage, PemIdentity } from './protocol.ts';

/** How many containers, exited ones that nobody removed included. */
export const containersMax = 2048;
/** How many images are remembered as free of links that lead out of them. */
const checkedImagesMax = 1024;
export const memoryCheckMs = 250;

/** All isolate processes of the node, and what they are to know. */
export class Pods {
  readonly #containers = new Map<string, Container>();
  readonly #identities = new Map<string, PemIdentity>();
  readonly #checkedImages = new Set<string>();
  readonly #commands = new Set<ExecProcess>();
  readonly #options: PodsOptions;
  readonly #compileCache: CompileCache;
  #timer: NodeJS.Timeout | undefined;
  #table: RouteTable | undefined;

  constructor(options: PodsOptions) {
    this.#options = options;
    this.#compileCache = new CompileCache(options.compileCacheDir);
  }

  get table(): RouteTable | undefined {
    return this.#table;
  }

  /** Asking again for a container that is there does nothing. */
  async start(spec: ContainerSpec): Promise<void> {
    if (this.#containers.has(spec.id)) return;
    if (this.#containers.size >= containersMax) {
      throw new Error(`the node's shim has ${containersMax} containers; remove exited ones first`);
    }
    const container = new Container(spec, {
      onState: (state) => this.#onState(state),
      onMessage: (message) => this.#options.onMessage(container, message),
    });
    this.#containers.set(spec.id, container);
    this.#watchMemory();
    try {
      // Native code reads whatever this user may read; links make no difference to it.
      if (!spec.grants.addons) await this.#checkImage(spec.rootDir);
      container.start(this.#launchOf(spec), this.#table, this.#identities.get(spec.pod.uid));
      this.#compileCache.pruneSometimes(() => this.running.map((each) => each.spec));
    } catch (error) {
      container.fail((error as Error).message);
    }
  }

  /** What a command beside a container's program is started with. */
  launching(spec: ContainerSpec): Pick<ExecOptions, 'spec' | 'launch' | 'table' | 'identity' | 'processes'> {
    const processes = this.running
      .filter((each) => each.spec.pod.uid === spec.pod.uid && each.state.pid !== undefined)
      .map(({ spec: { container, command, rootDir }, state }) => ({
        pid: state.pid!,
        container,
        command: shownCommand(command, rootDir),
        startedAtMs: state.startedAtMs,
      }));
    const identity = this.#identities.get(spec.pod.uid);
    return { spec, launch: this.#launchOf(spec), table: this.#table, identity, processes };
  }

  /** A command hears of new routes and identities as long as it runs. */
  addCommand(command: ExecProcess): void {
    this.#commands.add(command);
  }

  removeCommand(command: ExecProcess): void {
    this.#commands.delete(command);
  }

  async stop(id: string, graceSeconds: number): Promise<void> {
    await this.#containers.get(id)?.stop(graceSeconds);
  }

  async stopAll(graceSeconds: number): Promise<void> {
    clearTimeout(this.#timer);
    await Promise.all([...this.#containers.values()].map((container) => container.stop(graceSeconds)));
  }

  remove(id: string): void {
    const container = this.#containers.get(id);
    if (!container) return;
    if (container.state.phase !== 'exited') {
      throw new Error(`container "${id}" is ${container.state.phase}; stop it before removing it`);
    }
    this.#containers.delete(id);
  }

  list(): ContainerState[] {
    return [...this.#containers.values()].map(({ state }) => state);
  }

  get running(): Container[] {
    return [...this.#containers.values()].filter(({ state }) => state.phase !== 'exited');
  }

  usage(): ContainerUsage[] {
    return this.running.flatMap(({ state, load }) => {
      const usage = state.pid === undefined ? undefined : readProcessUsage(state.pid);
      return usage ? [{ id: state.id, ...usage, ...(load && { load }) }] : [];
    });
  }

  setTable(table: RouteTable): void {
    if (table.version === this.#table?.version) return;
    this.#table = table;
    for (const each of [...this.running, ...this.#commands]) each.send({ type: 'table', table });
  }

  setIdentity(podUid: string, identity: PemIdentity): void {
    this.#identities.set(podUid, identity);
    for (const each of [...this.running, ...this.#commands]) {
      if (each.spec.pod.uid === podUid) each.send({ type: 'identity', identity });
    }
  }

  forgetPod(podUid: string): void {
    this.#identities.delete(podUid);
  }

  /** The container that serves this port of the pod: one that named it, or else the first that serves at all. */
  serving(podIP: string, port: number): Container | undefined {
    const candidates = this.running.filter(({ spec, isServing }) => isServing && spec.pod.ip === podIP);
    return candidates.find(({ ports }) => ports.includes(port)) ?? candidates[0];
  }

  has(podIP: string): boolean {
    return this.running.some(({ spec }) => spec.pod.ip === podIP);
  }

  /** Hands a connection to the pod; false if nothing serves there, and the socket is still the caller's. */
  connect(socket: Socket, target: { ip: string; port: number; isTls: boolean }): boolean {
    const { port, isTls } = target;
    return this.serving(target.ip, port)?.send({ type: 'connection', port, isTls }, socket) ?? false;
  }

  /** An idle node stays asleep: the timer runs only while some container has a limit. */
  #watchMemory(): void {
    const limited = this.running.filter(({ spec }) => spec.memoryLimitBytes);
    for (const container of limited) container.checkMemory();
    clearTimeout(this.#timer);
    if (limited.length > 0) this.#timer = setTimeout(() => this.#watchMemory(), memoryCheckMs).unref();
  }

  #launchOf(spec: ContainerSpec): LaunchOptions {
    const { root, hostPath } = this.#options.modules;
    const packageDirs = this.#options.modules.packageDirs;
    return { hostDir: root, hostPath, packageDirs, compileCacheDir: this.#compileCache.folderFor(spec) };
  }

  #onState(state: ContainerState): void {
    const { pidFiles, onState } = this.#options;
    if (state.pid !== undefined && state.phase === 'exited') pidFiles.remove(state.pid);
    else if (state.pid !== undefined && !state.listening) pidFiles.add(state.pid);
    onState(state);
  }

  async #checkImage(rootDir: string): Promise<void> {
    if (this.#checkedImages.has(rootDir)) return;
    const link = await findEscapingLink(rootDir);
    if (link) throw new Error(`the image has a symbolic link that leads out of it: ${link}`);
    const oldest = this.#checkedImages.values().next().value;
    if (this.#checkedImages.size >= checkedImagesMax && oldest !== undefined)
      this.#checkedImages.delete(oldest);
    this.#checkedImages.add(rootDir);
  }
}

function shownCommand(command: string[], rootDir: string): string {
  const words = command[0] === commandMarker ? command.slice(1) : ['node', ...command];
  return words.map((word) => word.replace(`${rootDir}/`, '/')).join(' ');
}

export interface PodsOptions {
  log: Log;
  modules: ShimModules;
  compileCacheDir: string;
  pidFiles: PidFiles;
  onState: (state: ContainerState) => void;
  onMessage: (container: Container, message: FromPod) => void;
}
