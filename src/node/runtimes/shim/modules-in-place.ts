import path from 'node:path';
import { packageFolders } from './package-folders.ts';

/** `.ts` in the repository, `.js` in the published package and among prepared modules. */
export const extension = path.extname(import.meta.filename);
/** The folder that all relative imports stay in. */
export const sourceRoot = path.resolve(import.meta.dirname, '../../..');

/** Packages that commands in pods load; all else that runs in a pod is this package's or the pod's own. */
export const packagesOfPods: readonly string[] = ['tar-stream'];

/** Where the modules of shim and isolate host lie: the root folder, and the two entry modules in it. */
export interface ShimModules {
  root: string;
  shimPath: string;
  hostPath: string;
  /** Folders outside of the root that pods must be able to read. */
  packageDirs: string[];
}

/** The modules beside this one. */
export function modulesInPlace(): ShimModules {
  return modulesAt(sourceRoot, extension);
}

export function modulesAt(root: string, ending: string): ShimModules {
  const outside = packagesOfPods.flatMap((name) => [...packageFolders(name, root).values()]);
  return {
    root,
    packageDirs: outside.filter((folder) => !folder.startsWith(root + path.sep)),
    shimPath: path.join(root, `node/runtimes/shim/main${ending}`),
    hostPath: path.join(root, `node/runtimes/isolate/host${ending}`),
  };
}
