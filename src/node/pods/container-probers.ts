import type { Clock } from '../../base/clock.ts';
import type { Runtime } from '../runtimes/runtime.ts';
import type { PodEvents } from './pod-events.ts';
import { Prober } from './prober.ts';
import { allContainersOf, type Container, containerId, type PodRecord } from './record.ts';
import { runInContainer } from './run-in-container.ts';

export interface ContainerProbersOptions {
  record: PodRecord;
  clock: Clock;
  events: PodEvents;
  currentRuntime: () => Runtime | undefined;
  /** A verdict in the record has changed. */
  onChange: () => void;
  /** A container must be stopped and started again; the probe may have a grace period of its own. */
  onFatal: (container: Container, graceSeconds: number | undefined) => void;
}

/** The probers of one pod: every running container has one, and no other has. Verdicts go into the record. */
export class ContainerProbers {
  readonly #options: ContainerProbersOptions;
  readonly #probers = new Map<string, Prober>();

  constructor(options: ContainerProbersOptions) {
    this.#options = options;
  }

  /** Begins and ends probing as the record says. */
  update(): void {
    const { record } = this.#options;
    for (const spec of allContainersOf(record)) {
      const { phase } = record.containers[spec.name]!;
      const prober = this.#probers.get(spec.name);
      if (phase.kind === 'running') {
        (prober ?? this.#begin(spec, phase.startedAtMs)).setListening(phase.isListening);
      } else if (prober) {
        prober.stop();
        this.#probers.delete(spec.name);
      }
    }
  }

  stop(): void {
    for (const prober of this.#probers.values()) prober.stop();
  }

  #begin(spec: Container, startedAtMs: number): Prober {
    const { record, clock, currentRuntime, onChange } = this.#options;
    const container = record.containers[spec.name]!;
    const { isStarted, isReady } = container;
    const prober = new Prober({
      container: spec,
      podIP: record.ip ?? '',
      startedAtMs,
      before: { isStarted, isReady },
      clock,
      dial: (target) => {
        const runtime = currentRuntime();
        return runtime ? runtime.dial(target) : Promise.reject(new Error('the runtime is not connected'));
      },
      run: async (command, timeoutMs) => {
        const runtime = currentRuntime();
        if (!runtime) return { exitCode: undefined, output: 'the runtime is not connected', isLate: false };
        const id = containerId(record.uid, spec.name, container.restartCount);
        return runInContainer(runtime, { id, command, timeoutMs });
      },
      onVerdict: (verdict) => {
        if (verdict.isStarted === container.isStarted && verdict.isReady === container.isReady) return;
        Object.assign(container, verdict);
        onChange();
      },
      onFailure: (kind, message, isFatal) => this.#failed(spec, { kind, message, isFatal }),
    });
    this.#probers.set(spec.name, prober);
    return prober;
  }

  #failed(spec: Container, failure: { kind: string; message: string; isFatal: boolean }): void {
    const { record, events, onFatal } = this.#options;
    events.warning('Unhealthy', `${failure.kind} probe failed: ${failure.message}`, spec.name);
    if (!failure.isFatal || record.containers[spec.name]!.phase.kind !== 'running') return;
    const probe = failure.kind.toLowerCase();
    events.normal('Killing', `Container ${spec.name} failed ${probe} probe, will be restarted`, spec.name);
    const failed = failure.kind === 'Startup' ? spec.startupProbe : spec.livenessProbe;
    onFatal(spec, failed?.terminationGracePeriodSeconds);
  }
}
