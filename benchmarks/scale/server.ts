import { once } from 'node:events';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { systemClock } from '../../src/base/clock.ts';
import { createLog } from '../../src/base/log.ts';
import { startControlPlane } from '../../src/cli/control-plane.ts';
import { dataDir } from '../../src/cli/data-dir.ts';

/*
 * The control plane, in a process of its own: `server.ts FOLDER`. Its parent asks it what it has used since the last time,
 * and for the certificates of nodes.
 */

export type Question = { kind: 'usage' } | { kind: 'certificate'; node: string };

export interface Usage {
  rssMB: number;
  heapMB: number;
  /** Of one core. */
  cpuShare: number;
  /** How long the event loop stood still: 99 of 100 turns for less, the longest, and how many for more than 50 ms. */
  stallP99Ms: number;
  stallMaxMs: number;
  stalls: number;
  /** The longest turn of the event loop in the thread's own processor time: what of a stall is no other program's. */
  turnMaxMs: number;
}

const stallMs = 50;
const home = process.argv[2]!;
const controlPlane = await startControlPlane({
  dataDir: dataDir(home),
  host: '127.0.0.1',
  port: 0,
  names: [],
  evictAfterSeconds: 300,
  clock: systemClock,
  log: createLog({ level: 'warn', write: (line) => process.stderr.write(line) }),
});
const issue = (commonName: string, organization: string) => {
  const { certificatePem, privateKeyPem } = controlPlane.authority.issue({
    commonName,
    organizations: [organization],
    usages: ['client'],
    lifetimeSeconds: 3600,
  });
  const { port, authority } = controlPlane;
  return { port, ca: authority.caPem, cert: certificatePem, key: privateKeyPem };
};
const delay = monitorEventLoopDelay({ resolution: 10 });
delay.enable();
let stalls = 0;
let turnMaxMs = 0;
let lastTurnMs = performance.now();
let lastCpu = process.threadCpuUsage();
setInterval(() => {
  const { user, system } = process.threadCpuUsage(lastCpu);
  lastCpu = process.threadCpuUsage();
  turnMaxMs = Math.max(turnMaxMs, (user + system) / 1000);
  const nowMs = performance.now();
  if (nowMs - lastTurnMs > stallMs + 10) stalls += 1;
  lastTurnMs = nowMs;
}, 10).unref();
let cpu = process.cpuUsage();
let sinceMs = performance.now();

function usage(): Usage {
  const memory = process.memoryUsage();
  const used = process.cpuUsage(cpu);
  const passedMs = performance.now() - sinceMs;
  const answer = {
    rssMB: memory.rss / 1e6,
    heapMB: memory.heapUsed / 1e6,
    cpuShare: (used.user + used.system) / 1000 / passedMs,
    stallP99Ms: delay.percentile(99) / 1e6 - 10,
    stallMaxMs: delay.max / 1e6 - 10,
    stalls,
    turnMaxMs,
  };
  cpu = process.cpuUsage();
  sinceMs = performance.now();
  stalls = 0;
  turnMaxMs = 0;
  delay.reset();
  return answer;
}

process.send!(issue('selvage-admin', 'system:masters'));
process.on('message', (asked: Question) =>
  process.send!(asked.kind === 'usage' ? usage() : issue(`system:node:${asked.node}`, 'system:nodes')),
);
await once(process, 'disconnect');
await controlPlane.stop();
