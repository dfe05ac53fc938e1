import { chmodSync, lstatSync, mkdirSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

/** `sun_path` holds 108 bytes on Linux and 104 on macOS, the final zero included. */
const socketPathBytesMax = 103;
const longestName = 'shim.sock';

export interface ShimPaths {
  /** The control socket. */
  control: string;
  /** CONNECT to a pod's port, in plain text. */
  dial: string;
  /** Commands in containers, and attached clients. */
  process: string;
  /** Where the shim makes its socket pairs. */
  pair: string;
  pidsDir: string;
  modulesDir: string;
  compileCacheDir: string;
  logFile: string;
  /** The name that only one shim of the data folder can hold. */
  lockName: string;
}

/** Where a node's shim has its files; sockets move to a short private folder where the data folder's path is too long. */
export function shimPaths(dataDir: string): ShimPaths {
  const absolute = path.resolve(dataDir);
  const digest = fnv1a(absolute);
  const fits = Buffer.byteLength(path.join(absolute, longestName)) <= socketPathBytesMax;
  const socketDir = fits ? absolute : path.join(os.tmpdir(), `selvage-${process.getuid?.() ?? 0}`, digest);
  return {
    control: path.join(socketDir, 'shim.sock'),
    dial: path.join(socketDir, 'dial.sock'),
    process: path.join(socketDir, 'exec.sock'),
    pair: path.join(socketDir, 'pair.sock'),
    pidsDir: path.join(absolute, 'shim-pids'),
    modulesDir: path.join(absolute, 'shim-modules'),
    compileCacheDir: path.join(absolute, 'compile-cache'),
    logFile: path.join(absolute, 'shim.log'),
    lockName: `\0selvage-shim-${process.getuid?.() ?? 0}-${digest}`,
  };
}

/** Makes the folder of the sockets, for this user only. */
export function makeSocketDir(paths: ShimPaths): void {
  const folder = path.dirname(paths.control);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  for (const at of new Set([folder, folder.startsWith(os.tmpdir()) ? path.dirname(folder) : folder])) {
    const stat = lstatSync(at);
    if (at.includes(`selvage-${process.getuid?.() ?? 0}`) && stat.uid !== process.getuid?.()) {
      throw new Error(
        `${at} belongs to another user (uid ${stat.uid}); remove it, or choose a shorter data folder`,
      );
    }
  }
  chmodSync(folder, 0o700);
}

/** FNV-1a in 64 bits, as hex: enough to tell a machine's data folders apart, without the 5 MB of `node:crypto`. */
function fnv1a(text: string): string {
  let hash = 0xcbf29ce484222325n;
  for (const byte of Buffer.from(text)) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  return hash.toString(16).padStart(16, '0');
}
