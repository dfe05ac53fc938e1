import { type ChildProcess, spawn } from 'node:child_process';
import { openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Running } from '../../base/lifecycle.ts';
import type { ReadyMessage } from '../parent.ts';

const entry = join(import.meta.dirname, '../../../bin/selvage.mjs');
const stopGraceMs = 20_000;
const readyTimeoutMs = 60_000;
/** A process that was killed is started again this often; one that fails by itself more often is given up. */
const restartsMax = 10;
const restartDelayMs = 500;

/** A `selvage` command in a process of its own, started again if it dies, ended with this process. */
export interface SelvageProcess extends Running {
  readonly pid: number;
  /** What it said when it was ready for the first time; rejects with the end of its log when it ended before. */
  readonly ready: Promise<ReadyMessage>;
}

export function startProcess(options: {
  name: string;
  args: string[];
  logFile: string;
  env?: Record<string, string>;
  onRestart: (text: string) => void;
}): SelvageProcess {
  const { name, args, logFile, onRestart } = options;
  const log = openSync(logFile, 'a');
  let isStopping = false;
  let restarts = 0;
  let child = launch();
  const ready = untilReady(child, name, logFile);
  ready.catch(() => {});
  ready.then(
    () => superviseFrom(child),
    () => {},
  );

  function launch(): ChildProcess {
    const stdio = ['ignore', log, log, 'ipc'] as const;
    return spawn(process.execPath, [entry, ...args], {
      stdio: [...stdio],
      detached: true,
      env: { ...process.env, ...options.env },
    });
  }

  function superviseFrom(running: ChildProcess): void {
    running.once('exit', (code: number | null, signal: string | null) => {
      if (isStopping) return;
      const why = `${name} ended (${signal ?? `code ${code}`})`;
      if (++restarts > restartsMax) return onRestart(`${why} too often; see ${logFile}`);
      onRestart(`${why}: starting it again`);
      setTimeout(() => {
        if (isStopping) return;
        child = launch();
        superviseFrom(child);
      }, restartDelayMs);
    });
  }

  return {
    get pid() {
      return child.pid!;
    },
    ready,
    async stop() {
      isStopping = true;
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), stopGraceMs);
      await exited;
      clearTimeout(timer);
    },
  };
}

function untilReady(child: ChildProcess, name: string, logFile: string): Promise<ReadyMessage> {
  return new Promise((resolve, reject) => {
    const fail = (why: string) => {
      clearTimeout(timer);
      reject(new Error(`${name} ${why}; its log ends:\n${tail(logFile)}`));
    };
    const timer = setTimeout(() => fail(`was not ready in ${readyTimeoutMs / 1000} s`), readyTimeoutMs);
    const exited = (code: number | null, signal: string | null) =>
      fail(`ended with ${signal ?? `code ${code}`}`);
    child.once('exit', exited);
    child.once('message', (message: ReadyMessage) => {
      clearTimeout(timer);
      child.off('exit', exited);
      resolve(message);
    });
  });
}

function tail(file: string): string {
  return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-8).join('\n');
}
