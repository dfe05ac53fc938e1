/** What a server process tells the one that started it with an IPC channel, once it is ready. */
export interface ReadyMessage {
  kind: 'ready';
  /** `https://host:port` of the API server, from a control plane. */
  server?: string;
  joinToken?: string;
  /** `host:port` of the mesh, from an agent. */
  meshAddress?: string;
}

/** Tells the parent process, where there is one that listens. */
export function tellParent(message: ReadyMessage): void {
  process.send?.(message);
}

/**
 * Resolves when this process should end: Ctrl-C, SIGTERM, the terminal or the parent that listens is gone. A second
 * Ctrl-C while ending ends at once.
 */
export function untilToldToStop(): Promise<void> {
  return new Promise((resolve) => {
    let isTold = false;
    const tell = () => {
      if (isTold) return;
      isTold = true;
      // An open channel would keep this process alive after its work has ended.
      if (process.connected) process.disconnect?.();
      resolve();
    };
    process.on('SIGINT', () => {
      if (isTold) process.exit(130);
      tell();
    });
    process.on('SIGTERM', tell);
    process.on('SIGHUP', () => {
      // The terminal is gone: what is still said to it must not end us before our work has ended.
      for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
      tell();
    });
    process.on('disconnect', tell);
  });
}
