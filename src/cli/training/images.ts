import { type ImageDataset, loadCifar10, syntheticImages } from '../../ml/index.ts';
import { formatBytes } from '../terminal/units.ts';

export interface Images extends ImageDataset {
  isGenerated: boolean;
}

/**
 * CIFAR-10 from `folder`, else from the cache, else downloaded; where it can't be had, generated images, and
 * `note` says so. A folder that was asked for and can't be read is an error.
 */
export async function loadImages(options: {
  folder: string | undefined;
  generated: boolean;
  note: (text: string) => void;
}): Promise<Images> {
  const { folder, note } = options;
  if (!options.generated) {
    try {
      const onProgress = ({
        receivedBytes,
        totalBytes,
      }: {
        receivedBytes: number;
        totalBytes: number | undefined;
      }) =>
        note(
          `downloading CIFAR-10, ${formatBytes(receivedBytes)}${totalBytes ? ` of ${formatBytes(totalBytes)}` : ''}`,
        );
      return { ...(await loadCifar10({ ...(folder && { dir: folder }), onProgress })), isGenerated: false };
    } catch (error) {
      if (folder) throw error;
      note(`CIFAR-10 can't be had here: ${(error as Error).message}`);
    }
  }
  return { ...syntheticImages(), isGenerated: true };
}
