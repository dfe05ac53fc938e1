import type { Readable } from 'node:stream';
import type { Runtime } from '../runtimes/runtime.ts';

/** How much of a command's output is kept: what a probe's message or an Event shows (kubelet's bound). */
export const outputBytesMax: number = 10 * 1024;

export interface CommandResult {
  /** Undefined if it could not be run, or not to its end. */
  exitCode: number | undefined;
  /** What it printed, both streams, or why it could not be run. */
  output: string;
  isLate: boolean;
}

/** Runs a command in a container to its end, as probes and hooks do; never throws. It is killed when its time is up. */
export async function runInContainer(
  runtime: Runtime,
  request: { id: string; command: string[]; timeoutMs: number },
): Promise<CommandResult> {
  const { id, command, timeoutMs } = request;
  let timer: NodeJS.Timeout | undefined;
  try {
    const process = await runtime.open({ kind: 'exec', id, command, stdin: false, tty: false });
    const late = new Promise<'late'>((resolve) => {
      timer = setTimeout(() => resolve('late'), timeoutMs);
    });
    const output = gather([process.stdout, process.stderr]);
    const ended = await Promise.race([process.ended, late]);
    if (ended === 'late') {
      process.kill();
      return { exitCode: undefined, output: output(), isLate: true };
    }
    const { exitCode, message } = ended;
    return {
      exitCode: message === undefined ? exitCode : undefined,
      output: output() || (message ?? ''),
      isLate: false,
    };
  } catch (error) {
    return { exitCode: undefined, output: (error as Error).message, isLate: false };
  } finally {
    clearTimeout(timer);
  }
}

function gather(streams: Readable[]): () => string {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for (const stream of streams) {
    stream.on('data', (chunk: Buffer) => {
      const part = chunk.subarray(0, outputBytesMax - bytes);
      bytes += part.length;
      if (part.length > 0) chunks.push(part);
    });
  }
  return () => Buffer.concat(chunks).toString();
}
