import { flushCompileCache } from 'node:module';
import net from 'node:net';
import { parseArgs } from 'node:util';
import { createLog } from '../../../base/log.ts';
import { shimPaths } from './paths.ts';
import { startShim } from './shim.ts';

/** How long pods get to finish when the shim itself is told to end. */
const graceSeconds = 10;

const { values } = parseArgs({
  options: { 'data-dir': { type: 'string' }, 'idle-seconds': { type: 'string', default: '30' } },
});
const dataDir = values['data-dir'];
if (dataDir === undefined) throw new Error('usage: shim --data-dir DIR [--idle-seconds N]');
const log = createLog({
  level: 'info',
  write: (line) => process.stderr.write(line),
  fields: { shim: process.pid },
});

// Its standard error is a file on a disk that may be full, and whoever started it may be gone.
process.stderr.on('error', () => {});
process.on('SIGHUP', () => {});

if (await holdLock(shimPaths(dataDir).lockName)) {
  const shim = await startShim({
    dataDir,
    log,
    idleMs: Number(values['idle-seconds']) * 1000,
    onDone: () => process.exit(0),
  });
  process.on('SIGTERM', () => void shim.stop(graceSeconds));
  // Kept now, as the shim may not end for months.
  flushCompileCache();
}

/**
 * Only one shim for a data folder: an abstract socket's name can be held by one process, and is free the moment that
 * process is gone. Other systems than Linux have none; there the control socket, taken last, decides.
 */
async function holdLock(name: string): Promise<boolean> {
  if (process.platform !== 'linux') return true;
  const server = net.createServer((socket) => socket.destroy());
  return new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.listen({ path: name }, () => {
      server.unref();
      resolve(true);
    });
  });
}
