import { mkdir, stat } from 'node:fs/promises';
import type { ContainerSpec } from '../runtimes/runtime.ts';

/** Makes the folders that mounts of writable volumes name and nobody has made yet, as kubelet does. */
export async function makeSubPaths(mounts: ContainerSpec['mounts']): Promise<void> {
  for (const { hostPath, readOnly } of mounts) {
    if (readOnly || (await stat(hostPath).catch(() => undefined))) continue;
    await mkdir(hostPath, { recursive: true, mode: 0o750 });
  }
}
