import { readFileSync, statfsSync } from 'node:fs';
import { availableParallelism, cpus, freemem, totalmem } from 'node:os';

/** What the node's machine has, and how much of it is left. */
export interface MachineFacts {
  cpuCores: number;
  memoryBytes: number;
  memoryAvailableBytes: number;
  diskBytes: number;
  diskAvailableBytes: number;
  processesMax: number;
  processes: number;
}

/** Measures the machine; `dataDir` tells which disk. What a system doesn't tell counts as no pressure. */
export function measureMachine(dataDir: string): MachineFacts {
  const disk = statfsSync(dataDir);
  const memoryBytes = limitedMemory();
  return {
    cpuCores: availableParallelism(),
    memoryBytes,
    memoryAvailableBytes: Math.min(memoryBytes, memoryAvailable()),
    diskBytes: disk.blocks * disk.bsize,
    diskAvailableBytes: disk.bavail * disk.bsize,
    processesMax: Number(read('/proc/sys/kernel/pid_max')) || 32768,
    processes: Number(read('/proc/loadavg')?.split(' ')[3]?.split('/')[1]) || 0,
  };
}

/** Processor time that the whole machine has spent working since it was started. */
export function machineCpuSeconds(): number {
  const workedMs = cpus().map(({ times }) => times.user + times.nice + times.sys + times.irq);
  return workedMs.reduce((sum, ms) => sum + ms, 0) / 1000;
}

/** In a container the machine has more than we may use. */
function limitedMemory(): number {
  const limit = process.constrainedMemory();
  return limit > 0 && limit < totalmem() ? limit : totalmem();
}

/** Linux counts caches that can be dropped as available; elsewhere there is only what is free. */
function memoryAvailable(): number {
  const kibibytes = /^MemAvailable:\s+(\d+) kB$/m.exec(read('/proc/meminfo') ?? '')?.[1];
  return kibibytes ? Number(kibibytes) * 1024 : freemem();
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
