#!/usr/bin/env node
// The entry of the command line. The compile cache keeps stripped and compiled modules: a second start
// is twice as fast and never loads the type stripper (18 MB).
import { spawn } from 'node:child_process';
import module from 'node:module';
import { homedir } from 'node:os';
import { join } from 'node:path';

if (Number(process.versions.node.split('.')[0]) >= 24) {
  // It holds code that this process will run, so it lies where only its user may write.
  const cacheHome = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
  process.env.NODE_COMPILE_CACHE ??= join(cacheHome, 'selvage', 'compiled');
  module.enableCompileCache(process.env.NODE_COMPILE_CACHE);
  await import('../src/cli/main.ts');
} else {
  const { setUp } = await import('../scripts/setup.mjs');
  const child = spawn(setUp(), [import.meta.filename ?? process.argv[1], ...process.argv.slice(2)], {
    stdio: 'inherit',
  });
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  child.on('exit', (code, signal) => process.exit(code ?? (signal ? 1 : 0)));
}
