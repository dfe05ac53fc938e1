import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { openStore } from '../src/store/open.ts';
import type { Store } from '../src/store/store.ts';
import { median } from './median.ts';

/*
 * What the store costs over bare SQLite, in the same run and on the same disk: medians of several rounds.
 * Run: node benchmarks/store.ts
 */

const rounds = 5;
const singleWrites = 300;
const batchedWrites = 3000;
const writersAtOnce = 200;
const listed = 1000;
const lists = 50;
const watchers = 200;
const watchedWrites = 100;
const value = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'sample', namespace: 'default', labels: { app: 'sample' } },
  data: { text: 'x'.repeat(1000) },
};

interface Figure {
  name: string;
  unit: string;
  store: number[];
  floor: number[];
}

const figures: Figure[] = [
  { name: 'writes, one at a time', unit: 'writes/s', store: [], floor: [] },
  { name: `writes, ${writersAtOnce} writers at once`, unit: 'writes/s', store: [], floor: [] },
  { name: `list ${listed} objects`, unit: 'lists/s', store: [], floor: [] },
  { name: `watch fan-out to ${watchers}`, unit: 'events/s', store: [], floor: [] },
];

const folder = mkdtempSync(join(tmpdir(), 'selvage-benchmark-'));
try {
  for (let round = 0; round < rounds; round++) await runRound(join(folder, String(round)));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
print();

async function runRound(path: string): Promise<void> {
  const [single, batched, list, fanOut] = figures.map((figure) => figure);
  const floor = openFloor(`${path}-floor.sqlite`);
  single!.floor.push(await perSecond(singleWrites, () => floor.write(singleWrites, 1)));
  batched!.floor.push(await perSecond(batchedWrites, () => floor.write(batchedWrites, writersAtOnce)));
  list!.floor.push(await perSecond(lists, () => floor.list(lists)));
  floor.close();
  const store = openStore({ path: `${path}-store.sqlite` });
  single!.store.push(await perSecond(singleWrites, () => writeEach(store)));
  batched!.store.push(await perSecond(batchedWrites, () => writeBatched(store)));
  list!.store.push(await perSecond(lists, () => listAll(store)));
  fanOut!.store.push(await perSecond(watchers * watchedWrites, () => watchAll(store)));
  fanOut!.floor.push(await perSecond(watchers * watchedWrites, () => callAll()));
  await store.close();
}

async function writeEach(store: Store): Promise<void> {
  for (let n = 0; n < singleWrites; n++) await store.create(`/single/${n}`, value);
}

async function writeBatched(store: Store): Promise<void> {
  const write = async (writer: number) => {
    for (let n = writer; n < batchedWrites; n += writersAtOnce) await store.create(`/batched/${n}`, value);
  };
  await Promise.all(Array.from({ length: writersAtOnce }, (_, writer) => write(writer)));
}

function listAll(store: Store): void {
  for (let n = 0; n < lists; n++) {
    const { items } = store.list('/batched/', { limit: listed });
    if (items.length !== listed) throw new Error(`listed ${items.length}`);
  }
}

async function watchAll(store: Store): Promise<void> {
  const follow = async () => {
    let seen = 0;
    for await (const _ of store.watch('/watched/', { fromRevision: store.revision() })) {
      seen += 1;
      if (seen === watchedWrites) return;
    }
  };
  const following = Array.from({ length: watchers }, follow);
  await Promise.all(Array.from({ length: watchedWrites }, (_, n) => store.create(`/watched/${n}`, value)));
  await Promise.all(following);
}

/** The floor for fan-out: one resolved promise an event and watcher, and nothing else. */
async function callAll(): Promise<void> {
  const follow = async () => {
    for (let n = 0; n < watchedWrites; n++) await undefined;
  };
  await Promise.all(Array.from({ length: watchers }, follow));
}

/** Bare SQLite with the same durability: one table, JSON in and out. */
function openFloor(path: string) {
  const database = new DatabaseSync(path);
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA locking_mode = EXCLUSIVE');
  database.exec('CREATE TABLE objects (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID');
  const insert = database.prepare('INSERT INTO objects VALUES (?, ?)');
  const select = database.prepare('SELECT value FROM objects ORDER BY key LIMIT ?');
  let next = 0;
  return {
    write(count: number, batch: number): void {
      for (let done = 0; done < count; done += batch) {
        database.exec('BEGIN');
        for (let n = 0; n < batch; n++) insert.run(`/${next++}`, JSON.stringify(value));
        database.exec('COMMIT');
      }
    },
    list(times: number): void {
      for (let n = 0; n < times; n++) for (const row of select.all(listed)) JSON.parse(row.value as string);
    },
    close: () => database.close(),
  };
}

async function perSecond(count: number, run: () => unknown): Promise<number> {
  const startMs = performance.now();
  await run();
  return (count / (performance.now() - startMs)) * 1000;
}

function print(): void {
  const show = (amount: number) => Math.round(amount).toLocaleString('en');
  console.log(`store against bare SQLite (fan-out: against bare promises); medians of ${rounds} rounds\n`);
  for (const { name, unit, store, floor } of figures) {
    const [ours, bare] = [median(store), median(floor)];
    const ratio = `${(ours / bare).toFixed(2)} x`;
    console.log(
      `${name.padEnd(30)} ${show(ours).padStart(10)} ${unit.padEnd(9)} floor ${show(bare).padStart(10)}  ${ratio.padStart(8)}`,
    );
  }
}
