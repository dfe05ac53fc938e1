import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

export interface MemoryUse {
  /** Resident set, bytes: everything mapped and in RAM, what is shared with other processes included. */
  residentBytes: number;
  /** Proportional set, bytes: shared pages divided by the number of processes that share them; Linux only. */
  proportionalBytes: number | undefined;
  /** Of the resident set, what is no page of a file, bytes: the system can have programs' pages back; Linux only. */
  anonymousBytes: number | undefined;
}

/** Memory of one process; `undefined` when it is gone or can't be looked at. */
export function memoryOf(pid: number): MemoryUse | undefined {
  try {
    if (process.platform !== 'linux') {
      const kilobytes = Number(
        execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' }).trim(),
      );
      return { residentBytes: kilobytes * 1024, proportionalBytes: undefined, anonymousBytes: undefined };
    }
    const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
    const bytesOf = (field: string) =>
      Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(rollup)?.[1]) * 1024;
    return {
      residentBytes: bytesOf('Rss'),
      proportionalBytes: bytesOf('Pss'),
      anonymousBytes: bytesOf('Anonymous'),
    };
  } catch {
    return undefined;
  }
}

/** The sum over several processes; those that are gone count nothing. */
export function memoryOfAll(pids: readonly number[]): MemoryUse {
  const uses = pids.map(memoryOf).filter((use) => use !== undefined);
  const sum = (pick: (use: MemoryUse) => number | undefined) =>
    uses.reduce((total, use) => total + (pick(use) ?? 0), 0);
  const isKnown = uses.every((use) => use.proportionalBytes !== undefined);
  return {
    residentBytes: sum((use) => use.residentBytes),
    proportionalBytes: isKnown ? sum((use) => use.proportionalBytes) : undefined,
    anonymousBytes: isKnown ? sum((use) => use.anonymousBytes) : undefined,
  };
}

/** Processes whose command line contains every one of `parts`; Linux only, elsewhere none. */
export function processesWith(parts: readonly string[]): number[] {
  if (process.platform !== 'linux') return [];
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const commandLine = readFileSync(`/proc/${name}/cmdline`, 'utf8');
      return parts.every((part) => commandLine.includes(part)) ? [Number(name)] : [];
    } catch {
      return [];
    }
  });
}
