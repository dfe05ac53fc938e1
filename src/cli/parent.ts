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
 * Resolves when this process should end: Ctrl-C, SIGTERM, or the parent that listens is gone. A second Ctrl-C while
 * ending ends at once.
 */
export function untilToldToStop(): Promise<void> {
  return new Promise((resolve) => {
    let told = false;
    const tell = () => {
      if (told) process.exit(130);
      told = true;
      resolve();
    };
    process.on('SIGINT', tell);
    process.on('SIGTERM', resolve as () => void);
    process.on('disconnect', resolve as () => void);
  });
}
