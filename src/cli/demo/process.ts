import { spawn } from 'node:child_process';
import { openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Running } from '../../base/lifecycle.ts';
import type { ReadyMessage } from '../parent.ts';

const entry = join(import.meta.dirname, '../../../bin/selvage.mjs');
const stopGraceMs = 20_000;
const readyTimeoutMs = 60_000;

/** A `selvage` command in a process of its own, which ends when this process does. */
export interface SelvageProcess extends Running {
  readonly pid: number;
  readonly logFile: string;
  /** What it said when it was ready; rejects with the end of its log when it ended before. */
  readonly ready: Promise<ReadyMessage>;
}

export function startProcess(options: { args: string[]; logFile: string }): SelvageProcess {
  const { args, logFile } = options;
  const log = openSync(logFile, 'a');
  const child = spawn(process.execPath, [entry, ...args], {
    stdio: ['ignore', log, log, 'ipc'],
    detached: true,
  });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const ready = new Promise<ReadyMessage>((resolve, reject) => {
    const fail = (why: string) =>
      reject(new Error(`selvage ${args[0]} ${why}; its log ends:\n${tail(logFile)}`));
    const timer = setTimeout(() => fail(`was not ready in ${readyTimeoutMs / 1000} s`), readyTimeoutMs);
    child.on('message', (message: ReadyMessage) => {
      clearTimeout(timer);
      resolve(message);
    });
    child.once('exit', (code, signal) => {
      clearTimeout(timer);
      fail(`ended with ${signal ?? `code ${code}`}`);
    });
  });
  ready.catch(() => {});
  return {
    pid: child.pid!,
    logFile,
    ready,
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), stopGraceMs);
      await exited;
      clearTimeout(timer);
    },
  };
}

function tail(file: string): string {
  return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-8).join('\n');
}
