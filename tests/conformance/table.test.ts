// docs/conformance.md names a test for each promise; this holds the two together.
import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { test } from 'node:test';

const root = dirname(dirname(import.meta.dirname));
const page = readFileSync(join(root, 'docs', 'conformance.md'), 'utf8');
/** How many promises Kubernetes 1.32 publishes for each group. */
const published = { 'api-machinery': 94, apps: 54, auth: 10, scheduling: 11 };

interface Row {
  group: string;
  promise: string;
  file?: string;
  name?: string;
  kind: 'tested' | 'not applicable' | 'not tested yet';
}

function readRows(): Row[] {
  let group = '';
  const rows: Row[] = [];
  for (const line of page.split('\n')) {
    if (line.startsWith('## ')) group = line.slice(3);
    const cells = /^\| (.+) \| (.+) \|$/.exec(line);
    if (!cells || cells[1] === 'promise') continue;
    const [, promise = '', kept = ''] = cells;
    const [, file, name] = /^`([^`]+)`: (.+)$/.exec(kept) ?? [];
    if (file && name) rows.push({ group, promise, file, name, kind: 'tested' });
    else if (kept.startsWith('not applicable: ')) rows.push({ group, promise, kind: 'not applicable' });
    else if (kept === 'not tested yet') rows.push({ group, promise, kind: 'not tested yet' });
    else assert.fail(`a row that says nothing: ${line}`);
  }
  return rows;
}

/** Patterns of the names of the tests in a file: `${…}` in a name stands for anything. */
function testNames(file: string): RegExp[] {
  const text = readFileSync(join(root, file), 'utf8');
  const names = [...text.matchAll(/\btest\(\s*(['"`])(.+?)\1,/g)].map(([, , name = '']) => name);
  return names.map(
    (name) =>
      new RegExp(
        `^${name
          .split(/\$\{[^}]*\}/)
          .map(RegExp.escape)
          .join('.+')}$`,
      ),
  );
}

const rows = readRows();

test('every published promise has one row', () => {
  for (const [group, count] of Object.entries(published))
    assert.equal(rows.filter((row) => row.group === group).length, count, group);
  const keys = rows.map(({ group, promise }) => `${group}: ${promise}`);
  assert.deepEqual(keys, [...new Set(keys)]);
});

test('the counts at the top are those of the rows', () => {
  const count = (kind: Row['kind']) => rows.filter((row) => row.kind === kind).length;
  const line = `${rows.length} promises: ${count('tested')} tested, ${count('not applicable')} not applicable, ${count('not tested yet')} not tested yet.`;
  assert.ok(page.includes(line), line);
});

test('every test that the table names is there', () => {
  const missing = rows.filter(({ file, name }) => {
    if (!file || !name) return false;
    return !existsSync(join(root, file)) || !testNames(file).some((pattern) => pattern.test(name));
  });
  assert.deepEqual(
    missing.map(({ file, name }) => `${file}: ${name}`),
    [],
  );
});

test('every conformance test is named in the table', () => {
  const files = globSync('tests/conformance/*.test.ts', { cwd: root }).filter(
    (file) => basename(file) !== 'table.test.ts',
  );
  assert.ok(files.length > 0);
  const unnamed = files.flatMap((file) => {
    const named = rows.filter((row) => row.file === file).map(({ name = '' }) => name);
    return testNames(file).filter((pattern) => !named.some((name) => pattern.test(name)));
  });
  assert.deepEqual(unnamed.map(String), []);
});
