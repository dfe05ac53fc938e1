import { existsSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { RunnableImage } from '../pods/container-spec.ts';
import { ImageError } from './image-error.ts';

const prefix = 'selvage.dev/builtin/';

/** Programs of this package that run as pods: their modules, and what they may do without asking. */
const modules: Record<string, { module: string; grants: { worker: boolean; addons: boolean } }> = {
  // ONNX Runtime is a native addon, and runs in a worker so that it can't block the server.
  'model-server': { module: '../../serving/main.ts', grants: { worker: true, addons: true } },
  'storage-initializer': {
    module: '../../serving/storage/main.ts',
    grants: { worker: false, addons: false },
  },
  'federated-client': {
    module: '../../learning/federated/client-main.ts',
    grants: { worker: true, addons: true },
  },
  'federated-coordinator': {
    module: '../../learning/federated/coordinator-main.ts',
    grants: { worker: false, addons: false },
  },
  trainer: { module: '../../learning/trainer/main.ts', grants: { worker: true, addons: true } },
};

export const isBuiltin = (reference: string): boolean => reference.startsWith(prefix);

/** An image that is a part of this package: never pulled, and its paths are the node's own. */
export function builtinImage(reference: string): RunnableImage {
  const name = reference.slice(prefix.length).replace(/:[^:/]*$/, '');
  if (name === shellName) return shellImage(reference);
  const found = Object.hasOwn(modules, name) ? modules[name] : undefined;
  if (!found) {
    const known = [...Object.keys(modules), shellName].join(', ');
    throw new ImageError('InvalidImageName', `there is no built-in image "${name}"; there is: ${known}`);
  }
  const rootDir = readableFolder();
  return {
    id: reference,
    rootDir,
    entry: relative(rootDir, modulePath(found.module)),
    args: [],
    env: [],
    // Not the package's own folder: beside one whose name begins alike (a data folder `selvage-2`) Node.js denies it.
    workingDir: dirname(modulePath(found.module)),
    sizeBytes: 0,
    grants: found.grants,
  };
}

const shellName = 'shell';
export const shellReference: string = `${prefix}${shellName}`;

/** An image of nothing but the commands that every isolate has: to look around with, and for jobs of a few lines. */
function shellImage(reference: string): RunnableImage {
  const rootDir = fileURLToPath(new URL('shell-root', import.meta.url));
  return {
    id: reference,
    rootDir,
    entry: '',
    args: [],
    env: [],
    workingDir: rootDir,
    sizeBytes: 0,
    isShell: true,
  };
}

const packageDir = fileURLToPath(new URL('../../..', import.meta.url)).replace(/[/\\]$/, '');

/** What a built-in program may read: this package and the packages it needs, which an installed one has beside it. */
function readableFolder(): string {
  return existsSync(join(packageDir, 'node_modules')) ? packageDir : dirname(packageDir);
}

/** The published package has `.js` where the repository has `.ts`. */
function modulePath(module: string): string {
  const path = fileURLToPath(new URL(module, import.meta.url));
  return existsSync(path) ? path : path.replace(/\.ts$/, '.js');
}
