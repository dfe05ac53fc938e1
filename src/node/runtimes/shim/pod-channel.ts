import type { ChildProcess } from 'node:child_process';
import { decodeFromPod, type FromPod } from '../isolate/messages.ts';

/** What a pod may have sent without completing a message. */
export const partialBytesMax = 1024 * 1024;
/** How many messages a pod may send in a second. */
export const messagesPerSecondMax = 20_000;

/** Reads a pod's messages, believing nothing: a flood, an endless message or a forged one ends the pod. */
export function readPodChannel(
  child: ChildProcess,
  handlers: { onMessage: (message: FromPod) => void; onAbuse: (what: string) => void },
): void {
  let unparsedBytes = 0;
  let countedSince = 0;
  let count = 0;
  const abuse = (what: string) => {
    child.removeAllListeners('message');
    handlers.onAbuse(what);
  };
  // What one pod brings about must not end the shim, and with it all the others.
  const attempt = (message: FromPod) => {
    try {
      handlers.onMessage(message);
    } catch (error) {
      abuse(`sent a message that failed (${(error as Error).message})`);
    }
  };
  countBytes(child, (bytes) => {
    unparsedBytes += bytes;
    if (unparsedBytes > partialBytesMax) abuse('sent an endless message');
    return unparsedBytes <= partialBytesMax;
  });
  child.on('internalMessage', () => {
    unparsedBytes = 0;
  });
  child.on('message', (message, handle) => {
    unparsedBytes = 0;
    // A pod has no business handing over sockets.
    if (handle && 'close' in handle) handle.close();
    else if (handle && 'destroy' in handle) handle.destroy();
    const now = Date.now();
    if (now - countedSince >= 1000) {
      countedSince = now;
      count = 0;
    }
    count += 1;
    const decoded = decodeFromPod(message);
    if (count > messagesPerSecondMax) abuse('sent too many messages');
    else if (!decoded) abuse('sent a message that is none of ours');
    else attempt(decoded);
  });
}

/**
 * Counts what comes in before Node parses it: Node's own reader would gather a message of any length. The IPC pipe is
 * among the active handles only; `watchSpawn` finds it.
 */
function countBytes(child: ChildProcess, accept: (bytes: number) => boolean): void {
  const pipe = pipes.get(child);
  if (!pipe) return;
  const original = pipe.onread;
  pipe.onread = function (this: unknown, buffer: ArrayBuffer | undefined) {
    if (buffer && !accept(buffer.byteLength)) return;
    return Reflect.apply(original, this, [buffer]);
  };
}

interface IpcPipe {
  onread: (buffer: ArrayBuffer | undefined) => unknown;
}

const pipes = new WeakMap<ChildProcess, IpcPipe>();

/** Runs `spawn` and remembers the IPC pipe that it made. */
export function watchSpawn(spawn: () => ChildProcess): ChildProcess {
  // Undocumented, but as old as Node itself; a test fails if it ever stops telling.
  const { _getActiveHandles } = process as unknown as { _getActiveHandles(): object[] };
  const before = new Set(_getActiveHandles());
  const child = spawn();
  const pipe = _getActiveHandles().find(
    (handle): handle is IpcPipe => !before.has(handle) && 'pendingHandle' in handle && 'onread' in handle,
  );
  if (pipe) pipes.set(child, pipe);
  return child;
}
