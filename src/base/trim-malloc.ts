import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

/**
 * Has the C library give back pages that are free but lie between used ones: what a thousand TLS connections took
 * (70 MB) otherwise stays for good. Only a call does it, and only a thread with the flag may call: it lives for some
 * 20 ms. False where there is no such call: musl, macOS, Windows, Node.js without FFI.
 */
export async function trimMalloc(): Promise<boolean> {
  if (process.platform !== 'linux') return false;
  try {
    const worker = new Worker(program, {
      eval: true,
      execArgv: ['--experimental-ffi', '--no-warnings'],
      env: {},
      resourceLimits: { maxYoungGenerationSizeMb: 1, maxOldGenerationSizeMb: 16 },
    });
    const [code] = (await once(worker, 'exit')) as [number];
    return code === 0;
  } catch {
    return false;
  }
}

const program = `
  const { dlopen } = require('node:ffi');
  const { functions } = dlopen(null, { malloc_trim: { arguments: ['uint64'], return: 'int32' } });
  functions.malloc_trim(0n);
`;
