import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { parseArgs } from 'node:util';
import { lease, microNow, nodeName } from './scale/objects.ts';
import { type Figures, runScale } from './scale/run.ts';

/*
 * What a control plane costs as its cluster grows: simulated nodes that renew their Leases and report as kubelets do,
 * with five pods each, while people read and write; then a Deployment of 1,000 pods. The first 1,000 nodes also hold the
 * five watches of an agent. The simulated nodes are one client over HTTPS on the same machine, so it takes its share of
 * the processors. Renewals are set against bare SQLite.
 * Run: node benchmarks/scale.ts [--nodes 1000,3000,10000] [--pods 5000] [--watching 1000] [--replicas 1000] [--seconds 30] [--profile]
 */

const { values } = parseArgs({
  options: {
    nodes: { type: 'string', default: '1000,3000,10000' },
    pods: { type: 'string' },
    watching: { type: 'string', default: '1000' },
    replicas: { type: 'string', default: '1000' },
    seconds: { type: 'string', default: '30' },
    profile: { type: 'boolean', default: false },
  },
});

const all: Figures[] = [];
for (const nodes of values.nodes.split(',').map(Number)) {
  const figures = await runScale({
    nodes,
    pods: Number(values.pods ?? 5 * nodes),
    watching: Math.min(Number(values.watching), nodes),
    replicas: Number(values.replicas),
    seconds: Number(values.seconds),
    execArgv: values.profile ? ['--cpu-prof', '--cpu-prof-dir=scale-profile'] : [],
  });
  all.push(figures);
  print(figures);
}
const floor = renewalsFloor();
console.log(
  `\nbare SQLite, one renewal a transaction: ${Math.round(floor).toLocaleString('en')} renewals/s\n`,
);
table();

function print({
  nodes,
  pods,
  watching,
  fillPerSecond,
  refusals,
  p50,
  p99,
  idle,
  deploy,
  boundPerSecond,
}: Figures): void {
  console.log(
    `\n${nodes} nodes, ${pods} pods; ${watching} nodes watch (${refusals} times put off); filled with ${Math.round(fillPerSecond)} writes/s`,
  );
  const sorts = Object.keys(p99).filter((sort) => sort !== 'fill');
  console.table(
    Object.fromEntries(
      sorts.map((sort) => [sort, { 'p50 ms': show(p50[sort]!), 'p99 ms': show(p99[sort]!) }]),
    ),
  );
  const rounded = (usage: object) =>
    Object.fromEntries(Object.entries(usage).map(([name, value]) => [name, show(value)]));
  console.log('at rest', rounded(idle));
  console.log(`rollout: ${Math.round(boundPerSecond)} pods bound/s`, rounded(deploy));
}

function table(): void {
  console.log(
    '| nodes | pods | watching | RSS | per node | CPU of one core | per 1,000 nodes | sent to a node | renew p99 | get p99 | longest stall | own work | renewals/s, most | to bare SQLite | rollout of 1,000, bound/s |',
  );
  console.log(`|${'---|'.repeat(15)}`);
  for (const { nodes, pods, watching, idle, p99, renewalsMax, boundPerSecond } of all) {
    const cells = [
      nodes.toLocaleString('en'),
      pods.toLocaleString('en'),
      watching.toLocaleString('en'),
      `${Math.round(idle.rssMB)} MB`,
      `${Math.round((idle.rssMB * 1000) / nodes)} kB`,
      `${Math.round(idle.cpuShare * 100)} %`,
      `${((idle.cpuShare * 100_000) / nodes).toFixed(1)} %`,
      `${show(idle.agentBytes)} B/s`,
      `${show(p99.renew!)} ms`,
      `${show(p99['get pod']!)} ms`,
      `${Math.round(idle.stallMaxMs)} ms`,
      `${Math.round(idle.turnMaxMs)} ms`,
      Math.round(renewalsMax).toLocaleString('en'),
      `${(renewalsMax / floor).toFixed(2)} x`,
      Math.round(boundPerSecond).toLocaleString('en'),
    ];
    console.log(`| ${cells.join(' | ')} |`);
  }
}

function show(value: number): number {
  return Number(value.toFixed(value < 10 ? 2 : 0));
}

/** Bare SQLite with the same durability: a Lease is overwritten, each in a transaction of its own. */
function renewalsFloor(): number {
  const folder = mkdtempSync(join(tmpdir(), 'selvage-scale-'));
  const database = new DatabaseSync(join(folder, 'floor.sqlite'));
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA locking_mode = EXCLUSIVE');
  database.exec('CREATE TABLE objects (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID');
  const put = database.prepare('INSERT OR REPLACE INTO objects VALUES (?, ?)');
  const count = 1000;
  const startMs = performance.now();
  for (let n = 0; n < count; n++) {
    const { spec, ...rest } = lease(n % 100);
    put.run(nodeName(n % 100), JSON.stringify({ ...rest, spec: { ...spec, renewTime: microNow() } }));
  }
  const perSecond = (count * 1000) / (performance.now() - startMs);
  database.close();
  rmSync(folder, { recursive: true, force: true });
  return perSecond;
}
