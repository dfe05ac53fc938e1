import type { Applet } from './applets/applet.ts';
import { runCommand } from './applets/index.ts';
import { PodFiles } from './applets/pod-files.ts';
import type { Program } from './messages.ts';

/** Runs a command such as `ls` or `sh` as this process's program, and ends the process with its exit code. */
export async function runProgram(program: Program): Promise<void> {
  const interrupted = new AbortController();
  const isShell = program.tty === true && program.command.length === 1 && program.command[0]!.endsWith('sh');
  // A shell at a terminal goes on; ^C is for what it runs.
  process.on('SIGINT', () => {
    if (isShell) return;
    interrupted.abort();
    process.exitCode = 130;
  });
  process.on('SIGTERM', () => process.exit(143));
  const io: Omit<Applet, 'args' | 'name'> = {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    env: { ...process.env },
    files: new PodFiles(program.files, program.workingDir),
    signal: interrupted.signal,
    isTerminal: program.tty === true,
    pod: { name: program.podName, processes: program.processes },
  };
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => process.exit(141));
  const exitCode = await runCommand(io, program.command);
  // A script goes on until nothing is left to do, as with node; any other command is over.
  if (lastsBeyondItsModule(program.command) && exitCode === 0) {
    process.stdin.unref?.();
    return;
  }
  await drained();
  process.exit(exitCode);
}

function lastsBeyondItsModule([word = '', first]: string[]): boolean {
  return /(^|\/)node$/.test(word) && first !== undefined;
}

/** What was printed must be on its way before the process ends: pipes are written asynchronously. */
async function drained(): Promise<void> {
  await Promise.all(
    [process.stdout, process.stderr].map(
      (stream) => new Promise<void>((resolve) => stream.write('', () => resolve())),
    ),
  );
}
