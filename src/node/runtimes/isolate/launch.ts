import { statSync } from 'node:fs';
import path from 'node:path';
import type { ContainerSpec } from '../runtime.ts';

/** What the process may do beyond its specification: its own host code, and a cache of its own compiled code. */
export interface LaunchOptions {
  /** The host's entry module. */
  hostPath: string;
  /** Folder of the host's modules. */
  hostDir: string;
  /** Packages that the host's commands load from elsewhere. */
  packageDirs: string[];
  /** Shared only by containers of the same image and the same service account, as it holds executable code. */
  compileCacheDir: string;
}

/** Heap beyond this share of the memory limit would leave no room for buffers and code. */
const heapShare = 0.75;
const heapMiBMin = 16;

/**
 * The command line of a container's process. It grants reading the image, the mounts and the host, writing writable
 * mounts, and nothing else; a path that Node's permission flags can't express is an error.
 */
export function nodeArguments(spec: ContainerSpec, options: LaunchOptions): string[] {
  const readable = [options.hostDir, ...options.packageDirs, spec.rootDir, options.compileCacheDir];
  const writable = [options.compileCacheDir];
  for (const mount of spec.mounts) {
    readable.push(mount.hostPath);
    if (!mount.readOnly) writable.push(mount.hostPath);
  }
  return [
    '--permission',
    ...readable.map((target) => `--allow-fs-read=${grant(target)}`),
    ...writable.map((target) => `--allow-fs-write=${grant(target)}`),
    ...(spec.grants.worker ? ['--allow-worker'] : []),
    ...(spec.grants.addons ? ['--allow-addons'] : []),
    // SQLite opens any file, whatever the permission model says (tried on Node 26.10).
    '--no-experimental-sqlite',
    '--disable-sigusr1',
    '--no-warnings',
    ...(spec.memoryLimitBytes ? [`--max-old-space-size=${heapMiB(spec.memoryLimitBytes)}`] : []),
    options.hostPath,
  ];
}

function heapMiB(limitBytes: number): number {
  return Math.max(heapMiBMin, Math.floor((limitBytes / 2 ** 20) * heapShare));
}

/** A folder is granted with all that is in it. */
function grant(target: string): string {
  if (target.includes('*'))
    throw new Error(`cannot grant "${target}": a path with "*" would grant more than itself`);
  if (!path.isAbsolute(target)) throw new Error(`cannot grant "${target}": the path must be absolute`);
  return statSync(target).isDirectory() ? path.join(target, path.sep) : target;
}
