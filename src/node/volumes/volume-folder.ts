import { join } from 'node:path';

/**
 * Where a pod has a volume of its own. Of two granted folders `data` and `data-2`, Node.js' permission model denies the
 * first one itself, though not what is in it (tried on Node 26.10); a dot, which no volume's name has, keeps them apart.
 */
export function volumeFolder(podDir: string, name: string): string {
  return join(podDir, 'volumes', `${name}.d`);
}
