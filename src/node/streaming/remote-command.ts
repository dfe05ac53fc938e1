import { type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ProcessEnd, ProcessRequest } from '../runtimes/frames.ts';
import type { Runtime } from '../runtimes/runtime.ts';
import type { Channels, ExitStatus } from './channels.ts';

/** What the client has asked to be connected with. */
export interface Wanted {
  stdin: boolean;
  stdout: boolean;
  stderr: boolean;
  tty: boolean;
}

/** Runs a command in a container, or attaches to its program, until it ends or the client goes. */
export async function remoteCommand(
  channels: Channels,
  runtime: Runtime,
  { request, wanted }: { request: ProcessRequest; wanted: Wanted },
): Promise<void> {
  const process = await runtime.open(request);
  channels.signal.addEventListener('abort', () => process.kill(), { once: true });
  if (channels.signal.aborted) return process.kill();
  channels.onResize((size) => process.resize(size));
  if (wanted.stdin) {
    channels.stdin.pipe(process.stdin);
    // The process may end first; what the client still sends then goes nowhere.
    process.stdin.once('close', () => channels.stdin.resume());
  } else channels.stdin.resume();
  const send = async (from: Readable, to: 'stdout' | 'stderr', isWanted: boolean) => {
    if (!isWanted) return void from.resume();
    const lines = wanted.tty ? from.pipe(lineEnds()) : from;
    await pipeline(lines, channels[to], { end: false }).catch(() => {});
  };
  // A terminal has one output.
  await Promise.all([
    send(process.stdout, 'stdout', wanted.stdout),
    send(process.stderr, wanted.tty ? 'stdout' : 'stderr', wanted.tty ? wanted.stdout : wanted.stderr),
  ]);
  await channels.finish(statusOf(request, await process.ended));
}

/** A terminal begins a line at its left edge only if it is told to. */
function lineEnds(): Transform {
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      done(
        null,
        chunk.includes(10) ? Buffer.from(chunk.toString('latin1').replaceAll('\n', '\r\n'), 'latin1') : chunk,
      );
    },
  });
}

function statusOf(request: ProcessRequest, { exitCode, message }: ProcessEnd): ExitStatus {
  if (exitCode === undefined || (message !== undefined && request.kind === 'exec')) {
    const text = message ?? 'it ended without an exit code';
    const what = request.kind === 'exec' ? `command "${request.command[0] ?? ''}"` : 'attached program';
    return {
      metadata: {},
      status: 'Failure',
      reason: 'InternalError',
      message: `${what}: ${text}`,
      code: 500,
    };
  }
  // Whoever is attached learns the container's exit code from its status.
  if (exitCode === 0 || request.kind === 'attach') return { metadata: {}, status: 'Success' };
  return {
    metadata: {},
    status: 'Failure',
    reason: 'NonZeroExitCode',
    message: `command terminated with non-zero exit code: exit status ${exitCode}`,
    details: { causes: [{ reason: 'ExitCode', message: String(exitCode) }] },
    code: 500,
  };
}
