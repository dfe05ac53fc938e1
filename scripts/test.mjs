// `npm test`: sets up, runs the gate, then every test. `npm test -- PATTERN …` runs the files that contain a PATTERN.
import { spawn, spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { check } from './check.mjs';
import { setUp } from './setup.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const runtime = setUp();
installTools();
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

/** The outside clients that end-to-end tests drive, as Debian packages. Elsewhere those tests say that they were skipped. */
function installTools() {
  const packageOf = {
    kubectl: 'kubernetes-client',
    skopeo: 'skopeo',
    curl: 'curl',
    openssl: 'openssl',
    setpriv: 'util-linux',
    ip: 'iproute2',
  };
  const missing = Object.keys(packageOf).filter((tool) => spawnSync('which', [tool]).status !== 0);
  if (missing.length === 0) return;
  const canInstall = process.getuid?.() === 0 && spawnSync('which', ['apt-get']).status === 0;
  if (!canInstall) {
    process.stderr.write(`Not installed: ${missing.join(', ')}. Tests that need them are skipped.\n`);
    return;
  }
  process.stderr.write(`Installing for the tests: ${missing.join(', ')} …\n`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const apt = (...args) =>
    spawnSync('apt-get', ['-qq', '-o=Dpkg::Use-Pty=0', ...args], { stdio: ['ignore', 2, 2], env }).status ===
    0;
  const install = () =>
    apt('install', '-y', '--no-install-recommends', ...missing.map((tool) => packageOf[tool]));
  if (!install()) {
    apt('update');
    install();
  }
}
