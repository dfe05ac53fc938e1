// `npm test`: sets up, runs the gate, then every test. `npm test -- PATTERN …` runs the files that contain a PATTERN.
import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { check } from './check.mjs';
import { installOutsideClients } from './outside-clients.mjs';
import { setUp } from './setup.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const runtime = setUp();
installOutsideClients();
if (!check()) {
  process.stdout.write('0 passed, 1 failed\n');
  process.exit(1);
}
const tests = spawn(runtime, [join(root, 'scripts', 'run-tests.ts'), ...process.argv.slice(2)], {
  cwd: root,
  stdio: 'inherit',
});
process.on('SIGINT', () => {});
tests.on('exit', (code) => process.exit(code ?? 1));
