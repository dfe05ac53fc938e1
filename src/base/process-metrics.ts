import { readdirSync, readFileSync } from 'node:fs';
import type { Metrics } from './metrics.ts';

/** What the process uses, by the names that Prometheus' own client libraries give it; read when somebody looks. */
export function exposeProcess(metrics: Metrics): void {
  const cpu = metrics.counter(
    'process_cpu_seconds_total',
    'Total user and system CPU time spent in seconds.',
  );
  const resident = metrics.gauge('process_resident_memory_bytes', 'Resident memory size in bytes.');
  const virtual = metrics.gauge('process_virtual_memory_bytes', 'Virtual memory size in bytes.');
  const start = metrics.gauge(
    'process_start_time_seconds',
    'Start time of the process since unix epoch in seconds.',
  );
  const open = metrics.gauge('process_open_fds', 'Number of open file descriptors.');
  const max = metrics.gauge('process_max_fds', 'Maximum number of open file descriptors.');
  start.set(performance.timeOrigin / 1000);
  metrics.beforeExposing(() => {
    const { user, system } = process.cpuUsage();
    cpu.setTotal((user + system) / 1e6);
    resident.set(process.memoryUsage.rss());
    try {
      open.set(readdirSync('/proc/self/fd').length);
      virtual.set(Number(readFileSync('/proc/self/stat', 'utf8').split(') ').at(-1)!.split(' ')[20]));
      max.set(Number(/Max open files\s+(\d+)/.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1] ?? 0));
    } catch {
      // Only Linux tells these so.
    }
  });
}
