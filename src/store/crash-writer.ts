import { writeSync } from 'node:fs';
import { openStore } from './open.ts';

/*
 * A process for the crash and lock tests: opens the store at argv[2] and writes until it is killed. Each line that it
 * prints is a write that was acknowledged. Several writers at once, so that batches are cut too; with argv[4] bytes in
 * each value, so that the journal is copied often.
 */
const writers = 4;
const [, , path = '', round = '0', bytes = '0'] = process.argv;
const padding = 'x'.repeat(Number(bytes));
const store = openStore({ path, historyMax: 200 });
writeSync(1, 'open\n');

async function write(writer: number): Promise<void> {
  const counter = `/counter/${writer}`;
  let { revision } = store.get(counter) ?? (await store.create(counter, { n: 0 }));
  for (let n = 0; ; n++) {
    const key = `/round/${round}/${writer}/${n}`;
    const created = await store.create(key, { n, padding });
    writeSync(1, `${created.revision} ${key}\n`);
    ({ revision } = await store.update(counter, { n }, revision));
    writeSync(1, `${revision} ${counter}\n`);
  }
}

await Promise.all(Array.from({ length: writers }, (_, writer) => write(writer)));
