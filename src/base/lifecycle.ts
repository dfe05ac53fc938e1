/** Something that was started and can be stopped; `stop` drains and may be called twice. */
export interface Running {
  stop(): Promise<void>;
}

/** Collects what was started and stops it all in reverse order. */
export class Lifecycle implements Running {
  #started: Running[] = [];
  #stopping: Promise<void> | undefined;

  add<T extends Running>(running: T): T {
    this.#started.push(running);
    return running;
  }

  /** Adds a bare stop action. */
  defer(stop: () => Promise<void> | void): void {
    this.#started.push({ stop: async () => stop() });
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
    if (failures.length > 0) throw new AggregateError(failures, `${failures.length} part(s) failed to stop`);
  }
}
