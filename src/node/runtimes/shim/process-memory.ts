import { readFileSync } from 'node:fs';

export interface ProcessUsage {
  /** Anonymous and shared-memory pages: what the container itself allocated, without the code it shares. */
  workingSetBytes: number;
  rssBytes: number;
  cpuSeconds: number;
}

/** Clock ticks a second in /proc, the same on every Linux that Node supports. */
const ticksPerSecond = 100;

/** Reads a process's use from /proc; undefined where there is none (another OS, or the process is gone). */
export function readProcessUsage(pid: number): ProcessUsage | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const kiB = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0);
    const fields = statFields(pid);
    return {
      workingSetBytes: (kiB('RssAnon') + kiB('RssShmem')) * 1024,
      rssBytes: kiB('VmRSS') * 1024,
      cpuSeconds: (Number(fields[11]) + Number(fields[12])) / ticksPerSecond,
    };
  } catch {
    return undefined;
  }
}

/** When the process started, in ticks since boot: with the pid it names a process for good. */
export function startTimeOf(pid: number): string | undefined {
  try {
    return statFields(pid)[19];
  } catch {
    return undefined;
  }
}

/** The fields of /proc/<pid>/stat after the command name, from `state` on. */
function statFields(pid: number): string[] {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}
