import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { startTimeOf } from './process-memory.ts';

/**
 * Remembers the shim's processes on disk. A pod ends by itself when its shim dies, but not while it spins in a loop:
 * the next shim ends those.
 */
export class PidFiles {
  readonly #dir: string;

  constructor(dir: string) {
    this.#dir = dir;
    mkdirSync(dir, { recursive: true, mode: 0o700 });
  }

  add(pid: number): void {
    const startTime = startTimeOf(pid);
    if (startTime === undefined) return;
    try {
      writeFileSync(path.join(this.#dir, String(pid)), startTime);
    } catch {
      // A full disk costs the clean-up of a spinning pod, not the pod.
    }
  }

  remove(pid: number): void {
    rmSync(path.join(this.#dir, String(pid)), { force: true });
  }

  /** Kills what a shim before left behind; answers how many there were. */
  killLeftovers(): number {
    let killed = 0;
    for (const name of readdirSync(this.#dir)) {
      const pid = Number(name);
      const file = path.join(this.#dir, name);
      const startTime = readFileSync(file, 'utf8');
      if (Number.isInteger(pid) && startTime !== '' && startTimeOf(pid) === startTime) {
        process.kill(pid, 'SIGKILL');
        killed += 1;
      }
      rmSync(file, { force: true });
    }
    return killed;
  }
}
