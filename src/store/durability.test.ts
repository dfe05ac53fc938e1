import assert from 'node:assert/strict';
import { type ChildProcessByStdio, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Readable } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { isStatus } from '../base/errors.ts';
import { journalBytesMax } from './flush.ts';
import { openStore } from './open.ts';

const writer = join(import.meta.dirname, 'crash-writer.ts');

function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'selvage-store-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function startWriter(t: TestContext, path: string, round = 0, bytes = 0) {
  const child: ChildProcessByStdio<null, Readable, null> = spawn(
    process.execPath,
    [writer, path, String(round), String(bytes)],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  t.after(() => child.kill('SIGKILL'));
  return child;
}

/** Reads the child's lines, kills it after `count` of them, and returns all that it had printed by then. */
async function killAfter(child: ReturnType<typeof startWriter>, count: number): Promise<string[]> {
  let text = '';
  for await (const chunk of child.stdout) {
    text += chunk;
    if (text.split('\n').length > count) child.kill('SIGKILL');
  }
  // What follows the last line end was cut off by the kill.
  return text.split('\n').slice(0, -1);
}

test('after kill -9 every acknowledged write is there, round after round', async (t) => {
  const path = join(temporaryFolder(t), 'state.sqlite');
  const acknowledged = new Map<string, number>();
  for (let round = 0; round < 4; round++) {
    const lines = await killAfter(startWriter(t, path, round), 150 + round * 170);
    assert.ok(lines.length > 100);
    for (const line of lines.slice(1)) {
      const [revision, key] = line.split(' ');
      acknowledged.set(key!, Number(revision));
    }
    const store = openStore({ path });
    for (const [key, revision] of acknowledged) {
      const found = store.get(key);
      // A counter may have been written once more than was printed.
      const isThere =
        found?.revision === revision || (key.startsWith('/counter/') && found!.revision > revision);
      assert.ok(isThere, `round ${round}: ${key} was acknowledged at ${revision}, found ${found?.revision}`);
    }
    assert.ok(store.revision() >= Math.max(...acknowledged.values()));
    await store.close();
  }
});

test('kill -9 while the journal is copied into the database file loses nothing either', async (t) => {
  const path = join(temporaryFolder(t), 'state.sqlite');
  let kept = 0;
  for (let round = 0; round < 4; round++) {
    // About a hundred values fill the journal, so that some round is cut off while it is copied.
    const lines = await killAfter(startWriter(t, path, round, 200_000), 200 + round * 45);
    const store = openStore({ path });
    for (const line of lines.slice(1)) {
      const [revision, key] = line.split(' ');
      if (key!.startsWith('/counter/')) continue;
      assert.equal(store.get(key!)?.revision, Number(revision), `round ${round}: ${key}`);
      kept += 1;
    }
    await store.close();
  }
  assert.ok(kept > 300);
});

test('nobody reads what is not durable yet', async (t) => {
  const store = openStore({ path: join(temporaryFolder(t), 'state.sqlite') });
  t.after(() => store.close());
  const { revision } = await store.create('/a/old', { n: 0 });
  const seen: string[] = [];
  const stop = new AbortController();
  const watching = (async () => {
    for await (const { key } of store.watch('/a/', { fromRevision: revision, signal: stop.signal }))
      seen.push(key);
  })();
  let isDurable = false;
  const writing = Promise.all([
    store.create('/a/new', { n: 1 }),
    store.update('/a/old', { n: 1 }, revision),
    store.create('/a/newer', { n: 1 }),
  ]).then(() => {
    isDurable = true;
  });
  while (!isDurable) {
    if (store.revision() === revision) {
      assert.equal(store.get('/a/new'), undefined);
      assert.deepEqual(store.get('/a/old')?.value, { n: 0 });
      assert.deepEqual(
        store.list('/a/', { limit: 1 }).items.map(({ key }) => key),
        ['/a/old'],
      );
      assert.equal(store.list('/a/', { limit: 1 }).remaining, 0);
      assert.deepEqual(seen, []);
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  await writing;
  assert.equal(store.list('/a/').items.length, 3);
  stop.abort();
  await watching;
});

test('the journal does not grow beyond its bound, and is gone when the store is closed', async (t) => {
  const folder = temporaryFolder(t);
  const path = join(folder, 'state.sqlite');
  const store = openStore({ path });
  const journal = () => statSync(`${path}-wal`).size;
  const padding = 'x'.repeat(1_000_000);
  let largest = 0;
  for (let n = 0; n < 30; n++) {
    await store.create(`/large/${n}`, { padding });
    largest = Math.max(largest, journal());
  }
  assert.ok(largest >= journalBytesMax / 2, 'it is used');
  assert.ok(largest < journalBytesMax + 2_000_000, `it grew to ${largest}`);
  await store.close();
  assert.deepEqual(readdirSync(folder), ['state.sqlite']);
  const reopened = openStore({ path });
  t.after(() => reopened.close());
  assert.equal(reopened.list('/large/').items.length, 30);
});

test('a folder that a running process holds is refused at once, and free again after kill -9', async (t) => {
  const folder = temporaryFolder(t);
  const path = join(folder, 'state.sqlite');
  const child = startWriter(t, path);
  await once(child.stdout, 'data');
  assert.throws(
    () => openStore({ path }),
    (error) =>
      isStatus(error, 'Conflict') &&
      error.message.includes(folder) &&
      error.message.includes(`process ${child.pid}`) &&
      error.message.includes('--data-dir'),
  );
  child.stdout.resume();
  child.kill('SIGKILL');
  await once(child, 'exit');
  const store = openStore({ path });
  assert.throws(() => openStore({ path }), new RegExp(`in use by process ${process.pid}`));
  await store.close();
  await openStore({ path }).close();
});

test('secrets are not in the files in plain text, read back with their key and with no other', async (t) => {
  const folder = temporaryFolder(t);
  const path = join(folder, 'state.sqlite');
  const encrypt = { prefixes: ['/secrets/'], key: Buffer.alloc(32, 7) };
  const store = openStore({ path, encrypt });
  const { revision } = await store.create('/secrets/default/db', { password: 'CORRECT-HORSE' });
  await store.update('/secrets/default/db', { password: 'CORRECT-HORSE-2' }, revision);
  await store.create('/configmaps/default/db', { note: 'PLAIN-NOTE' });
  const bytesOnDisk = () => readdirSync(folder).map((name) => readFileSync(join(folder, name), 'latin1'));
  assert.ok(bytesOnDisk().some((bytes) => bytes.includes('PLAIN-NOTE')));
  assert.ok(!bytesOnDisk().some((bytes) => bytes.includes('CORRECT-HORSE')));
  await store.close();
  assert.ok(!bytesOnDisk().some((bytes) => bytes.includes('CORRECT-HORSE')));
  assert.equal(statSync(path).mode & 0o777, 0o600);

  const wrong = { ...encrypt, key: Buffer.alloc(32, 8) };
  assert.throws(
    () => openStore({ path, encrypt: wrong }),
    /encrypted with key [0-9a-f]+, but key [0-9a-f]+ was given/,
  );
  assert.throws(() => openStore({ path }), /no key was given. Put back the key file/);
  const reopened = openStore({ path, encrypt });
  t.after(() => reopened.close());
  assert.deepEqual(reopened.get('/secrets/default/db')?.value, { password: 'CORRECT-HORSE-2' });
});

test('an encrypted value that was moved to another key does not decrypt', async (t) => {
  const path = join(temporaryFolder(t), 'state.sqlite');
  const encrypt = { prefixes: ['/secrets/'], key: Buffer.alloc(32, 7) };
  const store = openStore({ path, encrypt });
  await store.create('/secrets/a', { password: 'a' });
  await store.create('/secrets/b', { password: 'b' });
  await store.close();
  const database = new DatabaseSync(path);
  database.exec(
    `UPDATE changes SET value = (SELECT value FROM changes WHERE key = '/secrets/a') WHERE key = '/secrets/b'`,
  );
  database.close();
  const reopened = openStore({ path, encrypt });
  t.after(() => reopened.close());
  assert.throws(() => reopened.get('/secrets/b'), /"\/secrets\/b" is damaged/);
  assert.ok(reopened.get('/secrets/a'));
});

test('a full store refuses writes with what to do, loses nothing, stays readable and recovers', async (t) => {
  const path = join(temporaryFolder(t), 'state.sqlite');
  const store = openStore({ path, sizeMaxBytes: 256 * 1024 });
  const blob = { text: 'x'.repeat(8000) };
  let written = 0;
  await assert.rejects(
    async () => {
      for (; written < 1000; written++) await store.create(`/blob/${written}`, blob);
    },
    (error) => isStatus(error, 'InternalError') && /full: make room/.test(error.message),
  );
  assert.ok(written > 10);
  assert.equal(store.revision(), written + 1);
  assert.equal(store.list('/').items.length, written);
  await store.close();
  const reopened = openStore({ path });
  t.after(() => reopened.close());
  assert.equal(reopened.list('/').items.length, written);
  await reopened.create('/more', blob);
});

test('when the file system refuses to write, what was acknowledged is there and nothing else is', (t) => {
  if (process.platform === 'win32') return t.skip('needs a file size limit (ulimit)');
  const path = join(temporaryFolder(t), 'state.sqlite');
  const script = `
    import { openStore } from ${JSON.stringify(join(import.meta.dirname, 'open.ts'))};
    const store = openStore({ path: ${JSON.stringify(path)} });
    let written = 0;
    try {
      for (; written < 1000; written++) await store.create('/blob/' + written, { text: 'x'.repeat(8000) });
    } catch (error) {
      const listed = store.list('/').items.length;
      console.log(JSON.stringify({ reason: error.reason, message: error.message, written, listed }));
    }`;
  // In blocks of 512 bytes: 400 KiB for any one file.
  const limited = [
    '-c',
    'ulimit -f 800; exec "$0" --input-type=module-typescript -e "$1"',
    process.execPath,
    script,
  ];
  const child = spawnSync('sh', limited, { encoding: 'utf8' });
  const { reason, message, written, listed } = JSON.parse(child.stdout);
  assert.equal(reason, 'InternalError');
  assert.match(message, /Cannot write to the store .*state\.sqlite/);
  assert.ok(written > 10);
  assert.equal(listed, written);
  const store = openStore({ path });
  t.after(() => store.close());
  assert.equal(store.list('/').items.length, written);
});

test('a file of a newer schema, of another program or of no database is refused and left as it is', async (t) => {
  const path = join(temporaryFolder(t), 'state.sqlite');
  await openStore({ path }).close();
  const database = new DatabaseSync(path);
  database.exec('PRAGMA user_version = 99');
  database.close();
  const before = readFileSync(path);
  assert.throws(() => openStore({ path }), /written by a newer Selvage \(schema 99/);
  assert.deepEqual(readFileSync(path), before);

  const foreign = join(temporaryFolder(t), 'foreign.sqlite');
  const other = new DatabaseSync(foreign);
  other.exec('CREATE TABLE mine (a)');
  other.close();
  assert.throws(() => openStore({ path: foreign }), /database of another program/);

  const garbage = join(temporaryFolder(t), 'garbage.sqlite');
  writeFileSync(garbage, 'this is no database, but long enough to be taken for one'.repeat(20));
  assert.throws(() => openStore({ path: garbage }), /damaged or no database/);
});
