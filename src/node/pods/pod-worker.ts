import type { Pod } from '../../api/kinds/pod.ts';
import type { CancelTimer, Clock } from '../../base/clock.ts';
import { messageOf } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import { untilAborted } from '../../base/until-aborted.ts';
import type { ContainerState, Runtime } from '../runtimes/runtime.ts';
import { shutdownMessage, shutdownReason } from '../shutdown.ts';
import { ContainerProbers } from './container-probers.ts';
import { StartFailure, type StartSources, startContainer } from './container-start.ts';
import { type Action, plan } from './plan.ts';
import type { PodEvents } from './pod-events.ts';
import { podStatus } from './pod-status.ts';
import {
  acceptContainers,
  allContainersOf,
  type Container,
  containerId,
  graceSecondsOf,
  isEnding,
  type PodRecord,
} from './record.ts';
import { type Hook, runHook } from './run-hook.ts';
import { withTerminationMessage } from './termination-message.ts';
import { beginStart, createFailed, hold, lose, observe, pullFailed } from './transitions.ts';

export interface PodWorkerOptions {
  record: PodRecord;
  sources: StartSources;
  events: PodEvents;
  clock: Clock;
  log: Log;
  /** An address for the pod; waits until the node has a range. */
  address: (record: PodRecord) => Promise<string>;
  /** Keeps the record and shows its status: called after every change. */
  onChange: (record: PodRecord) => void;
  /** All containers have ended and the pod is to go: gives back what it used. Called until it succeeds. */
  finish: (record: PodRecord) => Promise<void>;
  /** The runtime if one is connected: nothing that only asks or stops starts one. */
  currentRuntime: () => Runtime | undefined;
}

/** A plan whose actions bring up ever new plans is a bug; it is cut off here and taken up at the next change. */
const roundsMax = 10;
const finishRetryMs = 5_000;
/** Kubernetes sets no limit; one that hangs for so long never ends. */
const postStartSecondsMax = 3600;

/** Keeps one pod as its object wants it: plans, does, watches, and plans again. */
export class PodWorker {
  readonly record: PodRecord;
  readonly #options: PodWorkerOptions;
  readonly #probers: ContainerProbers;
  readonly #tasks = new Set<Promise<void>>();
  readonly #stopping = new AbortController();
  #wake: CancelTimer | undefined;
  #isSyncing = false;
  #isFinishing = false;

  constructor(options: PodWorkerOptions) {
    this.record = options.record;
    this.#options = options;
    this.#probers = new ContainerProbers({
      ...options,
      onChange: () => this.sync(),
      onFatal: (container, probeGraceSeconds) => {
        const graceSeconds = probeGraceSeconds ?? graceSecondsOf(this.record);
        this.#run(this.#stop(container, { graceSeconds, mustRestart: true }));
        this.sync();
      },
    });
  }

  /** The API server shows a newer object. */
  update(pod: Pod): void {
    const graceBefore = graceSecondsOf(this.record);
    this.record.pod = pod;
    acceptContainers(this.record, this.#nowMs());
    this.#noteEnding();
    if (isEnding(this.record) && graceSecondsOf(this.record) < graceBefore) this.#hurry();
    this.sync();
  }

  /** Sidecars that end last have what is left of the grace period. */
  #noteEnding(): void {
    if (isEnding(this.record)) this.record.endingSinceMs ??= this.#nowMs();
  }

  /** Ends the pod for good, for what it does to the node. */
  evict(message: string, reason = 'Evicted'): void {
    if (isEnding(this.record) || this.record.failure) return;
    this.#do({ kind: 'fail', reason, message });
    this.sync();
  }

  /** The node shuts down: ends the pod for good within so long. */
  terminate(graceSeconds: number): void {
    const wasEnding = isEnding(this.record);
    this.record.shutdownSeconds = graceSeconds;
    this.record.failure ??= { reason: shutdownReason, message: shutdownMessage };
    this.#noteEnding();
    if (wasEnding) this.#hurry();
    this.sync();
  }

  /** The API server no longer has the pod. */
  vanish(pod?: Pod): void {
    this.record.isGone = true;
    if (pod) this.update(pod);
    else this.sync();
  }

  observe(state: ContainerState, container: string): void {
    if (this.#observe(state, container)) this.sync();
  }

  #observe(state: ContainerState, container: string): boolean {
    const spec = this.#container(container);
    const told = withTerminationMessage(state, { record: this.record, spec, sources: this.#options.sources });
    return observe(this.record, container, told);
  }

  /** The runtime lost everything it ran. */
  loseAll(): void {
    for (const { name } of allContainersOf(this.record)) lose(this.record, name, this.#nowMs());
    this.sync();
  }

  /** Stops planning; containers run on, and one that is being stopped goes on ending without us. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#wake?.();
    this.#probers.stop();
    await Promise.all(this.#tasks);
  }

  /** Plans and acts until nothing is left to do now; then shows the outcome. */
  sync(): void {
    if (this.#isSyncing || this.#stopping.signal.aborted) return;
    this.#isSyncing = true;
    try {
      this.#wake?.();
      this.#wake = undefined;
      for (let round = 0; round < roundsMax; round++) {
        const { actions, wakeAtMs } = plan(this.record, this.#nowMs());
        for (const action of actions) this.#do(action);
        this.#probers.update();
        const isSettled = actions.every(({ kind }) => kind === 'finish');
        if (!isSettled) continue;
        if (wakeAtMs !== undefined) this.#wakeAt(wakeAtMs);
        break;
      }
    } finally {
      this.#isSyncing = false;
    }
    this.#show();
  }

  #show(): void {
    const node = { hostIP: this.#options.sources.node.hostIP, nowMs: this.#nowMs() };
    this.record.status = podStatus(this.record, node);
    this.#options.onChange(this.record);
  }

  #do(action: Action): void {
    const { events } = this.#options;
    if (action.kind === 'finish') {
      this.#finish();
      return;
    }
    if (action.kind === 'fail') {
      this.record.failure = { reason: action.reason, message: action.message };
      this.#noteEnding();
      events.warning(action.reason, action.message);
      return;
    }
    const container = this.#container(action.container);
    if (action.kind === 'start') {
      this.#run(this.#start(container));
      return;
    }
    if (action.kind === 'stop') {
      events.normal('Killing', action.message, container.name);
      this.#run(this.#stop(container, action));
      return;
    }
    this.#wait(container, action);
  }

  #wait(container: Container, action: Action & { kind: 'wait' }): void {
    const { events } = this.#options;
    const { name, namespace, uid } = this.record;
    if (action.reason === 'CrashLoopBackOff') {
      const pod = `${name}_${namespace}(${uid})`;
      events.warning(
        'BackOff',
        `Back-off restarting failed container ${container.name} in pod ${pod}`,
        container.name,
      );
    } else {
      events.normal('BackOff', `Back-off pulling image "${container.image}"`, container.name);
      events.warning('Failed', `Error: ${action.reason}`, container.name);
    }
    hold(this.record.containers[container.name]!, { ...action, nowMs: this.#nowMs() });
  }

  async #start(spec: Container): Promise<void> {
    const { sources, events, address } = this.#options;
    const { record } = this;
    const container = beginStart(record, spec.name, this.#nowMs());
    const isStillWanted = () => !isEnding(record) && !this.#stopping.signal.aborted;
    try {
      // Nothing below may run inside of `sync`.
      await Promise.resolve();
      record.ip ??= await address(record);
      if (spec.lifecycle?.postStart) container.isPostStarting = true;
      const imageId = await startContainer({ record, container: spec, sources, events, isStillWanted });
      if (imageId === undefined) return this.#cancelStart(spec);
      delete container.pullBackOff;
      container.image = { reference: spec.image ?? '', id: imageId };
      events.normal('Started', `Started container ${spec.name}`, spec.name);
      if (spec.lifecycle?.postStart && container.phase.kind === 'creating') await this.#postStart(spec);
      else if (container.phase.kind === 'creating') {
        container.phase = { kind: 'running', startedAtMs: this.#nowMs(), isListening: false };
      }
    } catch (error) {
      this.#startFailed(spec, error);
    }
  }

  #cancelStart({ name }: Container): void {
    const container = this.record.containers[name]!;
    if (container.phase.kind !== 'creating') return;
    container.phase = { kind: 'waiting', reason: 'ContainerCreating', sinceMs: this.#nowMs() };
  }

  #startFailed({ name }: Container, error: unknown): void {
    const container = this.record.containers[name]!;
    // The shim may have died meanwhile, which has been taken in already.
    if (container.phase.kind !== 'creating' || this.#stopping.signal.aborted) return;
    const message = messageOf(error);
    const nowMs = this.#nowMs();
    this.#options.log.debug('container not started', { container: name, error: message });
    if (error instanceof StartFailure && error.isPull) {
      pullFailed(container, { reason: error.reason, message, nowMs });
      return;
    }
    const reason = error instanceof StartFailure ? error.reason : 'CreateContainerError';
    createFailed(container, { reason, message, nowMs });
  }

  async #stop(spec: Container, action: { graceSeconds: number; mustRestart: boolean }): Promise<void> {
    const container = this.record.containers[spec.name]!;
    const { phase } = container;
    if (phase.kind !== 'running') return;
    const { mustRestart } = action;
    container.phase = { kind: 'stopping', startedAtMs: phase.startedAtMs, mustRestart };
    container.isReady = false;
    await Promise.resolve();
    await this.#endContainer(spec, action.graceSeconds);
  }

  async #endContainer(spec: Container, graceSecondsMax: number): Promise<void> {
    const id = containerId(this.record.uid, spec.name, this.record.containers[spec.name]!.restartCount);
    const startedMs = this.#nowMs();
    await this.#preStop(spec, graceSecondsMax);
    if (this.#stopping.signal.aborted) return;
    const usedSeconds = Math.floor((this.#nowMs() - startedMs) / 1000);
    // The grace period may have been shortened meanwhile.
    const graceSeconds = Math.max(0, Math.min(graceSecondsMax, graceSecondsOf(this.record)) - usedSeconds);
    const runtime = this.#options.currentRuntime();
    await runtime?.stop(id, { graceSeconds });
    const state = (await runtime?.list())?.find((each) => each.id === id);
    if (state?.phase === 'exited') this.#observe(state, spec.name);
    else if (!state) lose(this.record, spec.name, this.#nowMs());
  }

  /** A preStop hook takes its time from the grace period; if it fails the container ends all the same. */
  async #preStop(container: Container, graceSeconds: number): Promise<void> {
    const hook = container.lifecycle?.preStop;
    if (!hook || graceSeconds <= 0) return;
    const failure = await this.#runHook(container, hook, graceSeconds);
    if (failure === undefined || this.#stopping.signal.aborted) return;
    this.#options.log.info('preStop hook failed', { container: container.name, failure });
    this.#options.events.warning('FailedPreStopHook', 'PreStopHook failed', container.name);
  }

  /** A container counts as running once its postStart hook is done; if that fails the container is ended. */
  async #postStart(container: Container): Promise<void> {
    const hook = container.lifecycle?.postStart;
    if (!hook) return;
    const state = this.record.containers[container.name]!;
    const failure = await this.#runHook(container, hook, postStartSecondsMax);
    delete state.isPostStarting;
    if (this.#stopping.signal.aborted) return;
    const id = containerId(this.record.uid, container.name, state.restartCount);
    const runtime = this.#options.currentRuntime();
    if (failure !== undefined) {
      const { events } = this.#options;
      this.#options.log.info('postStart hook failed', { container: container.name, failure });
      events.warning('FailedPostStartHook', 'PostStartHook failed', container.name);
      events.normal('Killing', 'FailedPostStartHook', container.name);
      await runtime?.stop(id, { graceSeconds: graceSecondsOf(this.record) });
    }
    const now = (await runtime?.list())?.find((each) => each.id === id);
    if (now) this.#observe(now, container.name);
  }

  #runHook(container: Container, hook: Hook, seconds: number): Promise<string | undefined> {
    const { clock, currentRuntime } = this.#options;
    const by = { record: this.record, runtime: currentRuntime(), clock, signal: this.#stopping.signal };
    return runHook(container, hook, { ...by, seconds });
  }

  /** The grace period was shortened while containers are being stopped. */
  #hurry(): void {
    const graceSeconds = graceSecondsOf(this.record);
    for (const { name } of allContainersOf(this.record)) {
      const container = this.record.containers[name]!;
      if (container.phase.kind !== 'stopping') continue;
      const id = containerId(this.record.uid, name, container.restartCount);
      this.#run(this.#options.currentRuntime()?.stop(id, { graceSeconds }) ?? Promise.resolve());
    }
  }

  #finish(): void {
    if (this.#isFinishing) return;
    this.#isFinishing = true;
    const finish = async () => {
      await Promise.resolve();
      try {
        await this.#options.finish(this.record);
      } catch (error) {
        if (this.#stopping.signal.aborted) return;
        this.#options.log.warn('pod not cleaned up, will retry', { error: messageOf(error) });
        this.#isFinishing = false;
        this.#wakeAt(this.#nowMs() + finishRetryMs);
      }
    };
    this.#run(finish(), { thenSync: false });
  }

  /** Lets a task go on by itself; what it changes is planned for when it ends. Nobody waits for it any more once we stop. */
  #run(task: Promise<void>, options: { thenSync: boolean } = { thenSync: true }): void {
    const { signal } = this.#stopping;
    const owned: Promise<void> = untilAborted(task, signal)
      .catch((error: unknown) => {
        if (!signal.aborted) this.#options.log.warn('pod task failed', { error: messageOf(error) });
      })
      .then(() => {
        this.#tasks.delete(owned);
        if (options.thenSync) this.sync();
      });
    this.#tasks.add(owned);
  }

  #wakeAt(atMs: number): void {
    this.#wake?.();
    this.#wake = this.#options.clock.after(Math.max(0, atMs - this.#nowMs()), () => this.sync());
  }

  #container(name: string): Container {
    return allContainersOf(this.record).find((each) => each.name === name)!;
  }

  #nowMs(): number {
    return this.#options.clock.nowMs();
  }
}
