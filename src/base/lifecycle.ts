import { messageOf } from './errors.ts';

/** Something that was started and can be stopped; `stop` drains and may be called twice. */
export interface Running {
  stop(): Promise<void>;
}

/** Collects what was started and stops it all in reverse order. */
export class Lifecycle implements Running {
  #started: Running[] = [];
  #stopping: Promise<void> | undefined;

  /** Takes over what was started; when the stop has begun already, it is stopped at once. */
  add<T extends Running>(running: T): T {
    if (this.#stopping) this.#stopping = this.#stopping.finally(() => running.stop());
    else this.#started.push(running);
    return running;
  }

  /** Adds a bare stop action. */
  defer(stop: () => Promise<void> | void): void {
    this.add({ stop: async () => stop() });
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stopAll();
    return this.#stopping;
  }

  async #stopAll(): Promise<void> {
    const failures: unknown[] = [];
    for (const running of this.#started.reverse()) {
      await running.stop().catch((error: unknown) => failures.push(error));
    }
    if (failures.length > 0)
      throw new AggregateError(failures, `could not stop: ${failures.map(messageOf).join('; ')}`);
  }
}
