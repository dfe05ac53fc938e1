import type { CancelTimer, Clock } from '../../base/clock.ts';
import type { Runtime } from '../runtimes/runtime.ts';
import { type ProbeResult, type ProbeSpec, type ProbeTarget, sendProbe } from './probe-request.ts';
import { beginProbe, hasFailed, nextProbeMs, type ProbeState, takeResult, timingOf } from './probes.ts';
import type { Container } from './record.ts';

export type ProbeKind = 'Startup' | 'Readiness' | 'Liveness';

export interface ProberOptions {
  container: Container;
  podIP: string;
  startedAtMs: number;
  /** What an earlier agent found: a container that it left ready is ready until a probe says otherwise. */
  before: { isStarted: boolean; isReady: boolean };
  clock: Clock;
  dial: Runtime['dial'];
  run: ProbeTarget['run'];
  onVerdict: (verdict: { isStarted: boolean; isReady: boolean }) => void;
  /** A probe failed; `isFatal` once startup or liveness has failed as often as its threshold says. */
  onFailure: (kind: ProbeKind, message: string, isFatal: boolean) => void;
}

interface Running {
  kind: ProbeKind;
  spec: ProbeSpec;
  state: ProbeState;
  timer?: CancelTimer | undefined;
  isSending?: boolean;
}

/** Probes one attempt of one container until stopped. Without probes it is ready when its program listens. */
export class Prober {
  readonly #options: ProberOptions;
  readonly #probes = new Map<ProbeKind, Running>();
  #isStarted: boolean;
  #isListening = false;
  #isStopped = false;

  constructor(options: ProberOptions) {
    this.#options = options;
    const { container, before } = options;
    const { startupProbe } = container;
    this.#isStarted = !startupProbe || before.isStarted;
    if (startupProbe && !before.isStarted) this.#begin('Startup', startupProbe, false);
    else this.#beginOthers();
  }

  /** The program opened its port (or closed it): what waits for readiness is asked at once. */
  setListening(isListening: boolean): void {
    if (this.#isListening === isListening) return;
    this.#isListening = isListening;
    this.#tell();
    if (!isListening) return;
    for (const probe of this.#probes.values()) {
      const isDue = this.#nowMs() >= probe.state.startedAtMs + probe.state.timing.initialDelayMs;
      if (!probe.state.isHealthy && isDue) this.#schedule(probe, 0);
    }
  }

  stop(): void {
    this.#isStopped = true;
    for (const probe of this.#probes.values()) probe.timer?.();
  }

  #begin(kind: ProbeKind, spec: ProbeSpec, isHealthy: boolean): void {
    const state = beginProbe(timingOf(spec), this.#options.startedAtMs, isHealthy);
    const probe: Running = { kind, spec, state };
    this.#probes.set(kind, probe);
    this.#schedule(probe, nextProbeMs(state, { eager: false }) - this.#nowMs());
  }

  #beginOthers(): void {
    const { readinessProbe, livenessProbe } = this.#options.container;
    if (readinessProbe) this.#begin('Readiness', readinessProbe, this.#options.before.isReady);
    if (livenessProbe) this.#begin('Liveness', livenessProbe, true);
    this.#tell();
  }

  #schedule(probe: Running, delayMs: number): void {
    probe.timer?.();
    probe.timer = this.#options.clock.after(Math.max(0, delayMs), () => void this.#send(probe));
  }

  async #send(probe: Running): Promise<void> {
    if (this.#isStopped || probe.isSending) return;
    const { container, podIP, dial, run } = this.#options;
    probe.isSending = true;
    probe.state = { ...probe.state, lastAtMs: this.#nowMs() };
    const { timeoutMs } = probe.state.timing;
    const result = await sendProbe(probe.spec, { podIP, container, dial, run, timeoutMs });
    probe.isSending = false;
    if (this.#isStopped || this.#probes.get(probe.kind) !== probe) return;
    this.#take(probe, result);
  }

  #take(probe: Running, result: ProbeResult): void {
    probe.state = takeResult(probe.state, result.isSuccess);
    const isFatal = probe.kind !== 'Readiness' && hasFailed(probe.state);
    // In its first moments a program that isn't ready yet is no news.
    const isNews = this.#nowMs() - probe.state.startedAtMs >= Math.min(1000, probe.state.timing.periodMs);
    if (!result.isSuccess && (isFatal || isNews)) {
      this.#options.onFailure(probe.kind, result.message, isFatal);
    }
    if (isFatal) {
      this.stop();
      return;
    }
    if (probe.kind === 'Startup' && probe.state.isHealthy) {
      this.#probes.delete('Startup');
      this.#isStarted = true;
      this.#beginOthers();
      return;
    }
    this.#tell();
    const eager = probe.kind === 'Readiness';
    this.#schedule(probe, nextProbeMs(probe.state, { eager }) - this.#nowMs());
  }

  #tell(): void {
    const readiness = this.#probes.get('Readiness');
    const hasReadiness = this.#options.container.readinessProbe !== undefined;
    const isReady =
      this.#isStarted && (hasReadiness ? (readiness?.state.isHealthy ?? false) : this.#isListening);
    this.#options.onVerdict({ isStarted: this.#isStarted, isReady });
  }

  #nowMs(): number {
    return this.#options.clock.nowMs();
  }
}
