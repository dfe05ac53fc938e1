import type { ContainerState } from '../runtimes/runtime.ts';
import { afterFailedPull, decideRestart } from './backoff.ts';
import {
  allContainersOf,
  type ContainerRecord,
  containerId,
  type PodRecord,
  type Terminated,
} from './record.ts';

/** How long a container whose configuration is wrong waits before it is tried again. */
export const createRetryMs = 10_000;
/** One whose volumes are not there yet, often because a claim is being bound, is tried again sooner. */
export const mountRetryMs = 3_000;

/** Begins an attempt; it is a new one, with a new id, only if the current one ever ran. */
export function beginStart(record: PodRecord, name: string, nowMs: number): ContainerRecord {
  const container = record.containers[name]!;
  const ended = endedAttempt(container);
  if (ended && ended.containerId === containerId(record.uid, name, container.restartCount)) {
    container.restartCount++;
    const { finishedAtMs } = ended;
    const decision = decideRestart({ backOff: container.crashBackOff, finishedAtMs, nowMs });
    if (decision.kind === 'restart' && !ended.isLost) container.crashBackOff = decision.backOff;
  }
  if (ended) container.lastTerminated = ended;
  container.phase = { kind: 'creating' };
  container.isStarted = false;
  container.isReady = false;
  delete container.isPostStarting;
  return container;
}

export function hold(
  container: ContainerRecord,
  waiting: { reason: string; message: string; nowMs: number; retryAtMs: number },
): void {
  const ended = endedAttempt(container);
  if (ended) container.lastTerminated = ended;
  const { reason, message, nowMs, retryAtMs } = waiting;
  container.phase = { kind: 'waiting', reason, message, sinceMs: nowMs, retryAtMs };
}

export function pullFailed(
  container: ContainerRecord,
  failure: { reason: string; message: string; nowMs: number },
): void {
  container.pullBackOff = afterFailedPull(container.pullBackOff, failure.nowMs);
  hold(container, { ...failure, retryAtMs: failure.nowMs + container.pullBackOff.delayMs });
}

export function createFailed(
  container: ContainerRecord,
  failure: { reason: string; message: string; nowMs: number },
): void {
  const retryMs = failure.reason === 'ContainerCreating' ? mountRetryMs : createRetryMs;
  hold(container, { ...failure, retryAtMs: failure.nowMs + retryMs });
}

/** Takes over what the runtime says of the current attempt; true if anything changed. */
export function observe(record: PodRecord, name: string, state: ContainerState): boolean {
  const container = record.containers[name]!;
  if (state.id !== containerId(record.uid, name, container.restartCount)) return false;
  if (state.phase === 'exited') return terminate(container, state);
  if (state.phase === 'starting' || container.phase.kind === 'terminated') return false;
  return keepRunning(container, state, isServing(record, name, state));
}

/** A program that announces ports is waited for until it listens; any other is ready when it has been loaded. */
function isServing(record: PodRecord, name: string, state: ContainerState): boolean {
  const spec = allContainersOf(record).find((each) => each.name === name);
  return state.listening || (state.isLoaded === true && (spec?.ports ?? []).length === 0);
}

function keepRunning(container: ContainerRecord, state: ContainerState, isListening: boolean): boolean {
  const { phase } = container;
  if (phase.kind === 'stopping' || container.isPostStarting) return false;
  if (phase.kind === 'running' && phase.isListening === isListening) return false;
  container.phase = { kind: 'running', startedAtMs: state.startedAtMs, isListening };
  return true;
}

function terminate(container: ContainerRecord, state: ContainerState): boolean {
  if (container.phase.kind === 'terminated') return false;
  const mustRestart = container.phase.kind === 'stopping' && container.phase.mustRestart;
  const exitCode = state.exitCode ?? 137;
  container.phase = {
    kind: 'terminated',
    exitCode,
    reason: state.reason ?? (exitCode === 0 ? 'Completed' : 'Error'),
    ...(state.message && { message: state.message }),
    startedAtMs: state.startedAtMs,
    finishedAtMs: state.finishedAtMs ?? state.startedAtMs,
    containerId: state.id,
    ...(mustRestart && { mustRestart }),
  };
  container.isReady = false;
  container.isStarted = false;
  return true;
}

/** The runtime no longer knows a container that should run: the machine was restarted, or the shim died. */
export function lose(record: PodRecord, name: string, nowMs: number): void {
  const container = record.containers[name]!;
  const { phase } = container;
  // One that is being created fails or succeeds by itself.
  if (phase.kind !== 'running' && phase.kind !== 'stopping') return;
  container.phase = {
    kind: 'terminated',
    exitCode: 137,
    reason: 'ContainerStatusUnknown',
    message: 'The container could not be located when the node came back',
    startedAtMs: phase.startedAtMs,
    finishedAtMs: nowMs,
    containerId: containerId(record.uid, name, container.restartCount),
    mustRestart: true,
    isLost: true,
  };
  container.isReady = false;
  container.isStarted = false;
}

/** Takes up a record that an earlier agent left: what that agent was doing has to be begun again. */
export function resume(record: PodRecord, states: ContainerState[], nowMs: number): void {
  for (const [name, container] of Object.entries(record.containers)) {
    const id = containerId(record.uid, name, container.restartCount);
    // Whether a hook was carried out to its end nobody knows: it is not repeated.
    delete container.isPostStarting;
    const state = states.find((each) => each.id === id);
    if (container.phase.kind === 'creating') {
      container.phase = { kind: 'waiting', reason: 'ContainerCreating', sinceMs: nowMs };
      // The earlier agent may have been killed between starting it and writing that down.
      if (state) adopt(container, state);
    } else if (container.phase.kind === 'stopping' && state?.phase === 'running') {
      adopt(container, state);
    }
    if (state) observe(record, name, state);
    else lose(record, name, nowMs);
  }
}

function adopt(container: ContainerRecord, state: ContainerState): void {
  container.phase = { kind: 'running', startedAtMs: state.startedAtMs, isListening: state.listening };
}

function endedAttempt(container: ContainerRecord): Terminated | undefined {
  if (container.phase.kind !== 'terminated') return container.lastTerminated;
  const { kind: _, ...terminated } = container.phase;
  return terminated;
}
