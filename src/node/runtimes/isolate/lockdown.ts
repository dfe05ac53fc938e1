import { syncBuiltinESMExports } from 'node:module';
import os from 'node:os';
import v8 from 'node:v8';

/**
 * Takes away what Node's permission model leaves open (tried on Node 26): signals to other processes, changes of user,
 * V8 flags that write files, other processes' priorities. SQLite, which opens any file, is off by a command-line flag.
 * Runs before any of the pod's code.
 */
export function lockDown(): void {
  const process = globalThis.process as unknown as Record<string, unknown>;
  // Native code was granted: a worker could load it anyhow.
  const mayLoadAddons = globalThis.process.execArgv.includes('--allow-addons');
  const forbidden = [
    ...(mayLoadAddons ? [] : ['dlopen']),
    '_kill',
    '_debugProcess',
    '_debugEnd',
    '_linkedBinding',
    'binding',
    'execve',
    '_getActiveHandles',
    '_getActiveRequests',
    '_startProfilerIdleNotifier',
    '_stopProfilerIdleNotifier',
    'setuid',
    'setgid',
    'seteuid',
    'setegid',
    'setgroups',
    'initgroups',
  ];
  const kill = globalThis.process.kill.bind(globalThis.process);
  // Node's own kill calls process._kill, so that goes under a name that only this closure knows.
  const rawKill = process._kill;
  for (const name of forbidden) delete process[name];
  define(process, 'kill', (pid: number, signal?: string | number) => {
    if (pid !== globalThis.process.pid) throw denied(`process.kill(${pid}): a pod may signal only itself`);
    process._kill = rawKill;
    try {
      return kill(pid, signal);
    } finally {
      delete process._kill;
    }
  });
  const setPriority = os.setPriority;
  define(os, 'setPriority', (...args: [number, number?]) => {
    if (args.length > 1 && args[0] !== 0 && args[0] !== globalThis.process.pid) {
      throw denied('os.setPriority: a pod may change only its own priority');
    }
    return args.length > 1 ? setPriority(0, args[1]!) : setPriority(args[0]);
  });
  define(v8, 'setFlagsFromString', () => {
    throw denied('v8.setFlagsFromString is not available in a pod');
  });
  syncBuiltinESMExports();
}

function define(target: object, name: string, value: unknown): void {
  Object.defineProperty(target, name, { value, writable: false, configurable: false, enumerable: true });
}

function denied(message: string): Error {
  return Object.assign(new Error(message), { code: 'ERR_ACCESS_DENIED' });
}
