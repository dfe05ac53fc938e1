import { modelReferenceAnnotation, modelVolumeAnnotation } from '../../api/model-annotations.ts';
import { showAtomically } from '../volumes/atomic-folder.ts';
import type { Volume } from '../volumes/volume-files.ts';
import { volumeFolder } from '../volumes/volume-folder.ts';
import type { StartSources } from './container-start.ts';
import type { PodRecord } from './record.ts';

/** Whether what this volume shows may change while the pod runs. */
export const isModelVolume = ({ pod }: PodRecord, { name, image }: Volume): boolean =>
  image !== undefined && pod.metadata?.annotations?.[modelVolumeAnnotation] === name;

/** The model that the pod is to show: the one that it was told last, else the one that its volume names. */
export function wantedModel(record: PodRecord): string | undefined {
  const volume = record.pod.spec?.volumes?.find((each) => isModelVolume(record, each));
  return volume && (record.pod.metadata?.annotations?.[modelReferenceAnnotation] || volume.image?.reference);
}

/**
 * The content of an image volume as a folder: the one that all pods of the node share, or for a model a folder of the
 * pod's own, whose content changes all at once.
 */
export async function imageVolume(
  record: PodRecord,
  volume: Volume,
  sources: Pick<StartSources, 'images' | 'podDir'>,
): Promise<string> {
  const { name, image } = volume;
  if (!isModelVolume(record, volume)) {
    const { path, id } = await sources.images.folder(image?.reference ?? '', image?.pullPolicy);
    record.volumeImages = { ...record.volumeImages, [name]: id };
    return path;
  }
  const shown = volumeFolder(sources.podDir(record.uid), name);
  for (;;) {
    const wanted = wantedModel(record) ?? '';
    const { path, id } = await sources.images.folder(wanted, image?.pullPolicy);
    // Told of another one meanwhile, this pull may be the slower of two.
    if (wantedModel(record) !== wanted) continue;
    await showAtomically(shown, path);
    record.volumeImages = { ...record.volumeImages, [name]: id };
    record.shownModel = wanted;
    if (wantedModel(record) === wanted) return shown;
  }
}
