import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { checkLayers } from './layers.ts';

function house(files: Record<string, string>): string {
  const root = mkdtempSync(join(tmpdir(), 'layers-'));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return root;
}

test('the house of this project has no import that points up', () => {
  const { files, problems } = checkLayers(dirname(import.meta.dirname));
  assert.deepEqual(problems, []);
  assert.ok(files > 20, `looked at ${files} files only`);
});

test('an import upwards, out of the house, and from an undeclared room is found', (t) => {
  const root = house({
    'src/store/a.ts': "import { x } from '../apiserver/b.ts';",
    'src/api/b.ts': "await import('../../scripts/c.ts');",
    'src/attic/c.ts': '',
    'src/ml/d.ts': "import type { Clock } from '../base/clock.ts';",
    'src/cli/fine.ts': "export * from '../store/a.ts';",
  });
  t.after(() => rmSync(root, { recursive: true }));
  const { files, problems } = checkLayers(root);
  assert.equal(files, 5);
  assert.equal(problems.length, 4);
  assert.match(problems.join('\n'), /points up, from store\/ to apiserver\//);
});
