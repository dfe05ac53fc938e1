import { mountFailed } from '../volumes/mount-failed.ts';
import { decideRestart, formatDuration } from './backoff.ts';
import {
  type Container,
  type ContainerRecord,
  ephemeralContainersOf,
  graceSecondsOf,
  initContainersOf,
  isAlive,
  isDeleted,
  isEnding,
  isSidecar,
  mainContainersOf,
  type PodRecord,
} from './record.ts';

export type Action =
  | { kind: 'start'; container: string }
  | { kind: 'stop'; container: string; graceSeconds: number; mustRestart: boolean; message: string }
  | { kind: 'wait'; container: string; reason: string; message: string; retryAtMs: number }
  | { kind: 'fail'; reason: string; message: string }
  /** Everything has ended: what the pod used can be given back, and its deletion confirmed to the API server. */
  | { kind: 'finish' };

export interface Plan {
  actions: Action[];
  /** When to plan again even if nothing happens. */
  wakeAtMs?: number;
}

/** How long `ErrImagePull` stays visible before it is shown as `ImagePullBackOff`. */
const pullErrorShownMs = 2_000;
const sidecarGraceSecondsMin = 2;

/** Decides what must happen next to bring a pod where its object wants it. Pure. */
export function plan(record: PodRecord, nowMs: number): Plan {
  const planned = new Planner(record, nowMs);
  planned.decide();
  return planned.result();
}

class Planner {
  readonly #record: PodRecord;
  readonly #nowMs: number;
  readonly #actions: Action[] = [];
  readonly #wakes: number[] = [];

  constructor(record: PodRecord, nowMs: number) {
    this.#record = record;
    this.#nowMs = nowMs;
  }

  result(): Plan {
    const wakeAtMs = Math.min(...this.#wakes);
    return { actions: this.#actions, ...(this.#wakes.length > 0 && { wakeAtMs }) };
  }

  decide(): void {
    if (!isEnding(this.#record)) this.#checkHostNamespaces();
    if (!isEnding(this.#record)) this.#checkDeadline();
    if (isEnding(this.#record) || this.#actions.length > 0) {
      this.#end();
      return;
    }
    for (const container of ephemeralContainersOf(this.#record)) this.#advance(container);
    if (!this.#initialize()) return;
    const mains = mainContainersOf(this.#record);
    const isDone = mains.every((container) => this.#isDone(container));
    if (isDone) {
      this.#endSidecars();
      return;
    }
    for (const container of mains) this.#advance(container);
  }

  /** What `kubectl debug node/…` asks for, among others. */
  #checkHostNamespaces(): void {
    const { hostPID, hostIPC } = this.#record.pod.spec ?? {};
    if (!hostPID && !hostIPC) return;
    const asked = [hostPID && 'hostPID', hostIPC && 'hostIPC'].filter(Boolean).join(' and ');
    this.#actions.push({
      kind: 'fail',
      reason: 'HostNamespacesNotSupported',
      message: `${asked}: an isolate cannot see the node's own processes; nodes can't be debugged from a pod (log in to the machine instead)`,
    });
  }

  #checkDeadline(): void {
    const seconds = this.#record.pod.spec?.activeDeadlineSeconds;
    if (seconds === undefined) return;
    const deadlineMs = this.#record.acceptedAtMs + seconds * 1000;
    if (this.#nowMs < deadlineMs) return void this.#wakes.push(deadlineMs);
    this.#actions.push({
      kind: 'fail',
      reason: 'DeadlineExceeded',
      message: 'Pod was active on the node longer than the specified deadline',
    });
  }

  /** Stops what runs: main containers first, then sidecars, so that those serve until the last moment. */
  #end(): void {
    const record = this.#record;
    const inits = initContainersOf(record).filter((each) => !isSidecar(each));
    const first = [...mainContainersOf(record), ...ephemeralContainersOf(record), ...inits];
    const alive = first.filter((container) => isAlive(this.#of(container)));
    for (const container of alive) this.#stop(container);
    const isOver = alive.length === 0 && !this.#endSidecars();
    if (isOver && isDeleted(record)) this.#actions.push({ kind: 'finish' });
  }

  /** One after the other, the last one first: each may need those before it. True while one is there. */
  #endSidecars(): boolean {
    const sidecars = initContainersOf(this.#record).filter(
      (each) => isSidecar(each) && isAlive(this.#of(each)),
    );
    const last = sidecars.at(-1);
    if (last) this.#stop(last, { graceSeconds: this.#graceLeft() });
    return last !== undefined;
  }

  /** Of a pod that is going away, what is left of its grace period: two seconds at least, as in Kubernetes. */
  #graceLeft(): number {
    const seconds = graceSecondsOf(this.#record);
    const { endingSinceMs } = this.#record;
    if (endingSinceMs === undefined) return seconds;
    const usedSeconds = (this.#nowMs - endingSinceMs) / 1000;
    return Math.max(Math.min(sidecarGraceSecondsMin, seconds), Math.ceil(seconds - usedSeconds));
  }

  /** Runs the init containers in order; true once all have completed (sidecars: started). */
  #initialize(): boolean {
    // Init containers run once a pod: not again because a main container restarts.
    const hasBegun = mainContainersOf(this.#record).some((each) => this.#of(each).phase.kind !== 'waiting');
    for (const container of initContainersOf(this.#record)) {
      if (isSidecar(container)) {
        this.#advance(container);
        if (!this.#of(container).isStarted && !hasBegun) return false;
      } else if (!hasBegun && !this.#hasSucceeded(container)) {
        this.#advance(container);
        return false;
      }
    }
    return true;
  }

  #advance(container: Container): void {
    const { phase, image } = this.#of(container);
    if (phase.kind === 'waiting') {
      this.#startWaiting(container, phase);
      return;
    }
    if (phase.kind === 'terminated' && this.#restarts(container)) {
      this.#restart(container);
      return;
    }
    if (phase.kind === 'running' && image && image.reference !== container.image) {
      const message = `Container ${container.name} definition changed, will be restarted`;
      this.#stop(container, { mustRestart: true, message });
    }
  }

  #startWaiting(container: Container, phase: { reason: string; retryAtMs?: number; sinceMs: number }): void {
    const dueMs = phase.retryAtMs ?? this.#nowMs;
    if (dueMs <= this.#nowMs) {
      return void this.#actions.push({ kind: 'start', container: container.name });
    }
    this.#wakes.push(dueMs);
    if (phase.reason === 'ErrImagePull') this.#showPullBackOff(container, phase.sinceMs, dueMs);
  }

  #showPullBackOff(container: Container, failedAtMs: number, retryAtMs: number): void {
    const { phase } = this.#of(container);
    const atMs = failedAtMs + pullErrorShownMs;
    if (this.#nowMs < atMs) return void this.#wakes.push(atMs);
    const why = phase.kind === 'waiting' && phase.message ? `: ErrImagePull: ${phase.message}` : '';
    const isVolume = phase.kind === 'waiting' && phase.message?.startsWith(mountFailed);
    const what = isVolume ? 'the image of a volume' : `image "${container.image}"`;
    this.#actions.push({
      kind: 'wait',
      container: container.name,
      reason: 'ImagePullBackOff',
      message: `Back-off pulling ${what}${why}`,
      retryAtMs,
    });
  }

  #restart(container: Container): void {
    const { phase, crashBackOff } = this.#of(container);
    if (phase.kind !== 'terminated') return;
    const start: Action = { kind: 'start', container: container.name };
    if (phase.isLost) return void this.#actions.push(start);
    const { finishedAtMs } = phase;
    const decision = decideRestart({ backOff: crashBackOff, finishedAtMs, nowMs: this.#nowMs });
    if (decision.kind === 'restart') return void this.#actions.push(start);
    const { name, namespace, uid } = this.#record;
    this.#actions.push({
      kind: 'wait',
      container: container.name,
      reason: 'CrashLoopBackOff',
      message:
        `back-off ${formatDuration(decision.delayMs)} restarting failed ` +
        `container=${container.name} pod=${name}_${namespace}(${uid})`,
      retryAtMs: decision.untilMs,
    });
    this.#wakes.push(decision.untilMs);
  }

  #stop(
    container: Container,
    options: { mustRestart?: boolean; message?: string; graceSeconds?: number } = {},
  ): void {
    const { kind } = this.#of(container).phase;
    // One that is being created is stopped as soon as it runs; one that is stopping already is.
    if (kind !== 'running') return;
    this.#actions.push({
      kind: 'stop',
      container: container.name,
      graceSeconds: options.graceSeconds ?? graceSecondsOf(this.#record),
      mustRestart: options.mustRestart ?? false,
      message: options.message ?? `Stopping container ${container.name}`,
    });
  }

  #isDone(container: Container): boolean {
    return this.#of(container).phase.kind === 'terminated' && !this.#restarts(container);
  }

  #hasSucceeded(container: Container): boolean {
    const { phase } = this.#of(container);
    return phase.kind === 'terminated' && phase.exitCode === 0 && !phase.isLost;
  }

  #restarts(container: Container): boolean {
    return restarts(this.#record, container);
  }

  #of(container: Container): ContainerRecord {
    return this.#record.containers[container.name]!;
  }
}

/** Whether a container that has ended starts again, by the pod's restart policy. */
export function restarts(record: PodRecord, container: Container): boolean {
  const { phase } = record.containers[container.name]!;
  if (phase.kind !== 'terminated') return false;
  if (isEnding(record)) return false;
  if (ephemeralContainersOf(record).includes(container)) return false;
  if (isSidecar(container)) return true;
  const policy = record.pod.spec?.restartPolicy ?? 'Always';
  if (policy === 'Never') return false;
  const isInit = initContainersOf(record).includes(container);
  const succeeded = phase.exitCode === 0 && !phase.mustRestart;
  if (isInit || policy === 'OnFailure') return !succeeded;
  return true;
}
