// `npm run check`: the gate. Format and lint (Biome), types (TypeScript), layers (who imports whom).
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { setUp } from './setup.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Runs every part of the gate, so that one run shows all there is to mend; returns whether all passed. */
export function check() {
  const runtime = setUp();
  const packages = join(root, 'node_modules');
  const layers = `const { checkLayers } = await import(${JSON.stringify(pathToFileURL(join(root, 'scripts/layers.ts')).href)});
    const { files, problems } = checkLayers(${JSON.stringify(root)});
    for (const problem of problems) console.error(problem);
    console.error(files + ' files, ' + problems.length + ' imports in the wrong direction');
    process.exit(files === 0 || problems.length > 0 ? 1 : 0);`;
  const parts = [
    [
      'format and lint',
      [join(packages, '@biomejs/biome/bin/biome'), 'ci', '--error-on-warnings', '--max-diagnostics=50', '.'],
    ],
    ['types', [join(packages, 'typescript/bin/tsc'), '--project', root, '--noEmit']],
    ['layers', ['--input-type=module', '--eval', layers]],
  ];
  let passed = true;
  for (const [name, args] of parts) {
    const result = spawnSync(runtime, args, { cwd: root, stdio: ['ignore', 2, 2] });
    process.stderr.write(`check: ${name} ${result.status === 0 ? 'ok' : 'FAILED'}\n`);
    passed &&= result.status === 0;
  }
  return passed;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) process.exit(check() ? 0 : 1);
