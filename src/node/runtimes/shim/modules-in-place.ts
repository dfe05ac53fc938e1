import path from 'node:path';

/** `.ts` in the repository, `.js` in the published package and among prepared modules. */
export const extension = path.extname(import.meta.filename);
/** The folder that all relative imports stay in. */
export const sourceRoot = path.resolve(import.meta.dirname, '../../..');

/** Where the modules of shim and isolate host lie: the root folder, and the two entry modules in it. */
export interface ShimModules {
  root: string;
  shimPath: string;
  hostPath: string;
}

/** The modules beside this one. */
export function modulesInPlace(): ShimModules {
  return modulesAt(sourceRoot, extension);
}

export function modulesAt(root: string, ending: string): ShimModules {
  return {
    root,
    shimPath: path.join(root, `node/runtimes/shim/main${ending}`),
    hostPath: path.join(root, `node/runtimes/isolate/host${ending}`),
  };
}
