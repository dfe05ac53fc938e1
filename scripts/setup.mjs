// Fetches what the lock file names, once, and finds a Node.js that runs TypeScript directly.
// Plain JavaScript for Node 20, since it runs before anything is installed.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const runtimeMajorMin = 24;
const stampFile = join(root, 'node_modules', '.selvage-setup');
const lockFile = join(root, '.selvage-setup.lock');

/** Installs the packages if the lock file changed since the last time; returns the path of the Node.js to use. */
export function setUp() {
  const major = Number(process.versions.node.split('.')[0]);
  if (major < 20)
    fail(`Node.js ${process.versions.node} is too old: version 20 or newer is needed (see nodejs.org).`);
  if (!isSetUp()) {
    lock();
    try {
      // Whoever held the lock before may have done it.
      if (!isSetUp()) {
        install();
        writeFileSync(stampFile, stampOf());
        compile(findRuntime(major));
      }
    } finally {
      rmSync(lockFile, { force: true });
    }
  }
  return findRuntime(major);
}

function isSetUp() {
  return existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stampOf();
}

function stampOf() {
  const lockHash = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
  return `${lockHash} ${process.platform} ${process.arch}\n`;
}

/** Waits until no other process of this machine sets up; one that died leaves a lock that is taken over. */
function lock() {
  for (let waited = false; ; waited = true) {
    try {
      writeFileSync(lockFile, String(process.pid), { flag: 'wx' });
      return;
    } catch (error) {
      if (error.code !== 'EEXIST')
        fail(
          `Cannot write to ${root} (${error.code}), where the packages go: run the first command as its owner.`,
        );
    }
    if (!isHeld()) rmSync(lockFile, { force: true });
    else if (!waited) process.stderr.write('Another process is setting up; waiting for it …\n');
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
  }
}

function isHeld() {
  try {
    return process.kill(Number(readFileSync(lockFile, 'utf8')), 0);
  } catch (error) {
    return error.code === 'EPERM';
  }
}

function install() {
  process.stderr.write('Setting up (once): fetching packages, about 200 MB …\n');
  const startMs = Date.now();
  const npm = process.env.npm_execpath ? [process.execPath, process.env.npm_execpath] : ['npm'];
  const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error', '--progress'];
  const result = spawnSync(npm[0], [...npm.slice(1), ...args], {
    cwd: root,
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32' && npm.length === 1,
    env: { ...process.env, npm_config_ignore_scripts: 'true', ONNXRUNTIME_NODE_INSTALL: 'skip' },
  });
  if (result.status !== 0) {
    fail(
      `Fetching packages failed (npm ci ended with ${result.status ?? result.error?.message}). ` +
        'The npm registry must be reachable for the first start; check the network or `npm config get registry`, then run it again.',
    );
  }
  process.stderr.write(`Set up in ${((Date.now() - startMs) / 1000).toFixed(0)} s.\n`);
}

/** Fills the compile cache, so that the first start is as fast and as light as later ones; a failure only costs that. */
function compile(runtime) {
  spawnSync(runtime, [join(root, 'bin', 'selvage.mjs'), 'compile'], { stdio: 'ignore' });
}

function findRuntime(major) {
  const bundled = join(root, 'node_modules', '.bin', process.platform === 'win32' ? 'node.cmd' : 'node');
  if (existsSync(bundled)) return bundled;
  if (major >= runtimeMajorMin) return process.execPath;
  return fail(
    `No Node.js ${runtimeMajorMin} or newer for ${process.platform}-${process.arch} came with the packages, and this one is ${process.versions.node}. ` +
      'Install a newer Node.js and run the command again.',
  );
}

function fail(message) {
  process.stderr.write(`selvage: ${message}\n`);
  process.exit(1);
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) setUp();
