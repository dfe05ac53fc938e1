// The outside clients that end-to-end tests drive: Debian packages, the official JavaScript client, and ONNX Runtime
// for browsers.
// Plain JavaScript for Node 20, since it runs before the tests' own runtime is known.
import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Installs what is missing, where that can be done; elsewhere the tests that need it say that they were skipped. */
export function installOutsideClients() {
  installTools();
  installNpmClient('node', '@kubernetes/client-node');
  installNpmClient('web', 'onnxruntime-web');
}

function installTools() {
  const packageOf = {
    kubectl: 'kubernetes-client',
    skopeo: 'skopeo',
    curl: 'curl',
    openssl: 'openssl',
    setpriv: 'util-linux',
    ip: 'iproute2',
    'python3-kubernetes': 'python3-kubernetes',
    chromium: 'chromium',
  };
  const missing = Object.keys(packageOf).filter((tool) => !isThere(tool));
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

function isThere(tool) {
  // A Debian package is for Debian's Python, which need not be the first on the PATH.
  if (tool === 'python3-kubernetes')
    return spawnSync('/usr/bin/python3', ['-c', 'import kubernetes']).status === 0;
  return spawnSync('which', [tool]).status === 0;
}

/** Such a client has a package folder of its own: the product neither needs nor weighs it. */
function installNpmClient(name, what) {
  const folder = join(root, 'tests', 'clients', name);
  const installed = join(folder, 'node_modules', '.package-lock.json');
  const wanted = join(folder, 'package-lock.json');
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(wanted).mtimeMs) return;
  process.stderr.write(`Installing for the tests: ${what} …\n`);
  const npm = process.env.npm_execpath ? [process.execPath, process.env.npm_execpath] : ['npm'];
  const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  spawnSync(npm[0], [...npm.slice(1), ...args], {
    cwd: folder,
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32' && npm.length === 1,
  });
}
