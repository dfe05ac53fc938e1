// Request latency of a model served at the edge against the same model served from the cloud (WAN simulated), and what
// crosses the link: the demo itself, on generated images, several times. Usage: node benchmarks/edge.ts [--rounds N]
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Figures } from '../src/cli/demo/figures.ts';
import { percentile } from '../src/cli/terminal/units.ts';

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '3' } } });
const folder = mkdtempSync(join(tmpdir(), 'selvage-edge-'));
const file = join(folder, 'figures.json');
const demo = [
  join(import.meta.dirname, '../bin/selvage.mjs'),
  'demo',
  '--once',
  '--generated',
  '--epochs',
  '1',
  '--seconds',
  '10',
  '--json',
  file,
];

const rounds: Figures[] = [];
for (let round = 0; round < Number(values.rounds); round++) {
  const { status, stderr } = spawnSync(process.execPath, demo, {
    encoding: 'utf8',
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  if (status !== 0) throw new Error(`the demo failed:\n${stderr}`);
  rounds.push(JSON.parse(readFileSync(file, 'utf8')));
}
rmSync(folder, { recursive: true });

const median = (pick: (figures: Figures) => number) => percentile(rounds.map(pick), 0.5);
const row = (name: string, text: string) => console.log(`${name.padEnd(34)} ${text}`);
const { wan } = rounds[0]!;
console.log(
  `medians of ${rounds.length} demos; WAN simulated: ${wan.delayMs} ms each way, ${wan.bitsPerSecond / 1e6} Mbit/s\n`,
);
const edge = median(({ latency }) => latency.edge.p50);
const cloud = median(({ latency }) => latency.cloud.p50);
row(
  'model at the edge, p50 / p99',
  `${edge.toFixed(2)} / ${median(({ latency }) => latency.edge.p99).toFixed(2)} ms`,
);
row(
  'model in the cloud, p50 / p99',
  `${cloud.toFixed(2)} / ${median(({ latency }) => latency.cloud.p99).toFixed(2)} ms`,
);
row('cloud : edge, p50', `${(cloud / edge).toFixed(1)} x`);
row('bytes sent : bytes captured', `${(100 * median(({ traffic }) => traffic.share)).toFixed(1)} %`);
row(
  'control traffic of two edges',
  `${(median(({ traffic }) => (8 * traffic.controlWanBytes) / traffic.seconds) / 1000 / 2).toFixed(2)} kbit/s each`,
);
