import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

/** All modules that running `file` loads; type imports are erased. */
function modulesFrom(file: URL, found = new Map<string, string[]>()): Map<string, string[]> {
  const source = readFileSync(file, 'utf8');
  const specifiers = [...source.matchAll(/^(?:import|export)(?! type)[^;]*?from '([^']+)'/gms)].map(
    (match) => match[1]!,
  );
  found.set(file.pathname, specifiers);
  for (const specifier of specifiers.filter((name) => name.startsWith('.'))) {
    const next = new URL(specifier, file);
    if (!found.has(next.pathname)) modulesFrom(next, found);
  }
  return found;
}

test('portable.ts and all that it loads need neither Node nor a package', () => {
  const modules = modulesFrom(new URL('./portable.ts', import.meta.url));
  assert.ok(modules.size > 30, `only ${modules.size} modules were looked at`);
  for (const [file, specifiers] of modules) {
    const foreign = specifiers.filter((specifier) => !specifier.startsWith('.'));
    assert.deepEqual(foreign, [], file);
  }
});
