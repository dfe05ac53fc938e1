import { cp, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Client } from '../../client/index.ts';
import type { LabelledImages } from '../../ml/index.ts';
import { buildImage } from '../../oci/build.ts';
import { ContentStore } from '../../oci/content-store.ts';
import { untilDeploymentAvailable } from './wait.ts';

export const namespace = 'vision';
const folder = join(import.meta.dirname, '../../../examples/vision');
export const manifests = join(folder, 'manifests.yaml');
export const modelManifest = join(folder, 'model.yaml');
const services = ['camera', 'preprocess', 'classify', 'collector'];
const framesMax = 200;
const availableTimeoutMs = 90_000;

/** Builds the application's images into a registry's folder; the camera's image carries the frames that it plays. */
export async function buildApplication(options: {
  registry: string;
  scratch: string;
  frames: LabelledImages;
}): Promise<void> {
  const store = await ContentStore.open(options.registry);
  for (const service of services) {
    const contextDir = join(options.scratch, service);
    await mkdir(options.scratch, { recursive: true });
    await cp(join(folder, service), contextDir, { recursive: true });
    if (service === 'camera') await writeFile(join(contextDir, 'frames.bin'), toRecords(options.frames));
    await buildImage({ contextDir, tag: `vision-${service}:1.0.0`, store });
  }
}

/** Waits until every part of the application and both models answer. */
export async function untilApplicationAvailable(client: Client): Promise<void> {
  const names = [...services, 'cifar10-predictor', 'cifar10-cloud-predictor'];
  await Promise.all(
    names.map((name) => untilDeploymentAvailable(client, { namespace, name, timeoutMs: availableTimeoutMs })),
  );
}

/** Frames as a sensor gives them: CIFAR-10's records, a label byte and then three planes. */
function toRecords({ images, labels }: LabelledImages): Uint8Array {
  const [available = 0, height = 0, width = 0, channels = 0] = images.shape;
  const count = Math.min(framesMax, available);
  const pixels = height * width;
  const records = new Uint8Array(count * (1 + channels * pixels));
  let at = 0;
  for (let image = 0; image < count; image++) {
    records[at++] = labels[image]!;
    for (let channel = 0; channel < channels; channel++) {
      for (let pixel = 0; pixel < pixels; pixel++) {
        records[at++] = Number(images.data[(image * pixels + pixel) * channels + channel]);
      }
    }
  }
  return records;
}
