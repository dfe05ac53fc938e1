import type { Path } from '../path.ts';
import type { Report } from '../report.ts';
import { integer, list, number, object, oneOf, refine, required, string, type TypeOf } from '../schema.ts';
import {
  configMapVolumeSource,
  hostPathVolumeSource,
  imageVolumeSource,
  persistentVolumeClaimVolumeSource,
} from './volume.ts';

const component = 'dev.selvage.learning.v1alpha1.';

const datasetVolume = object(`${component}DatasetVolume`, {
  configMap: refine(configMapVolumeSource, { doc: 'The entries of a ConfigMap as files.' }),
  hostPath: refine(hostPathVolumeSource, { doc: 'A folder of the node, where the node allows it.' }),
  image: refine(imageVolumeSource, { doc: 'The content of an OCI image.' }),
  persistentVolumeClaim: refine(persistentVolumeClaimVolumeSource, { doc: 'A PersistentVolumeClaim.' }),
});
export type DatasetVolume = TypeOf<typeof datasetVolume>;

const path = string({ doc: 'The file or folder, below the root of the volume; all of it if absent.' });

const generatedImages = object(`${component}GeneratedImages`, {
  train: integer({ doc: 'Images to train on.', default: 4000, min: 1, max: 100_000 }),
  test: integer({ doc: 'Images to measure with.', default: 500, min: 1, max: 100_000 }),
  seed: integer({ doc: 'Other images for another number.' }),
});

const cifar10 = object(`${component}Cifar10`, {
  path,
  limit: integer({ doc: 'Records that are trained on; all if absent.', min: 1 }),
});

const imageFolder = object(`${component}ImageFolder`, {
  path,
  height: required(integer({ doc: 'Pixels that every image is resized to.', min: 1, max: 4096 })),
  width: required(integer({ doc: 'Pixels that every image is resized to.', min: 1, max: 4096 })),
  channels: oneOfNumber([1, 3], 'Channels of colour: 1 or 3.', 3),
  corrupt: oneOf(['error', 'skip'], { doc: 'What becomes of damaged images.', default: 'error' }),
});

const npz = object(`${component}Npz`, {
  path: required(string({ doc: 'The .npz file, below the root of the volume.' })),
  x: string({ doc: 'The array of examples; x, or x_train with x_test, if absent.' }),
  y: string({ doc: 'The array of targets; y, or y_train with y_test, if absent.' }),
});

const csv = object(`${component}Csv`, {
  path: required(string({ doc: 'The .csv file, below the root of the volume.' })),
  label: required(string({ doc: 'The column to learn.' })),
  labelKind: oneOf(['class', 'value'], { doc: 'Whether the label is a class or a number to give.' }),
  features: list(string(), { doc: 'The columns to learn from; all others if absent.' }),
  categorical: list(string(), { doc: 'Columns of categories rather than numbers.' }),
  separator: string({ doc: 'Between two fields.' }),
});

function oneOfNumber(values: readonly number[], doc: string, otherwise: number) {
  return integer({
    doc,
    default: otherwise,
    check(value, at, report) {
      if (!values.includes(value)) report.unsupported(at, value, values.map(String));
    },
  });
}

export const datasetSources = ['cifar10', 'csv', 'generated', 'imageFolder', 'npz'] as const;

const share = { min: 0, max: 0.9 };

const fields = object(
  `${component}Dataset`,
  {
    cifar10: refine(cifar10, { doc: 'CIFAR-10 in its binary layout, data_batch_*.bin and test_batch.bin.' }),
    csv: refine(csv, { doc: 'Rows of numbers and categories.' }),
    generated: refine(generatedImages, {
      doc: 'Made-up images of ten classes, 32 by 32, to try things with.',
    }),
    imageFolder: refine(imageFolder, { doc: 'A sub-folder for each class, of JPEG and PNG images.' }),
    npz: refine(npz, { doc: "NumPy's arrays, as numpy.savez writes them." }),
    testSplit: number({
      doc: 'The share that is never trained on and measures the result, where the data have no test set of their own.',
      default: 0.2,
      ...share,
    }),
    validationSplit: number({
      doc: 'The share of the training examples that each epoch is validated on.',
      default: 0,
      ...share,
    }),
    volume: refine(datasetVolume, { doc: 'Where the data are; not for generated ones.' }),
  },
  { doc: 'What is learned from: exactly one source.' },
);
export type TrainingDataset = TypeOf<typeof fields>;

export const trainingDataset = refine(fields, { check: checkDataset });

function checkDataset(dataset: TrainingDataset, at: Path, report: Report): void {
  const named = datasetSources.filter((source) => dataset[source] !== undefined);
  if (named.length === 0) report.required(at, `one of ${datasetSources.join(', ')}`);
  else if (named.length > 1) report.forbidden(at.child(named[1]!), `may not be beside ${named[0]}`);
  if (dataset.imageFolder && dataset.validationSplit) {
    report.forbidden(
      at.child('validationSplit'),
      'an image folder is read while it is trained on: use testSplit',
    );
  }
  const volumes = Object.keys(dataset.volume ?? {});
  if (volumes.length > 1) report.forbidden(at.child('volume'), 'may not specify more than 1 volume type');
  if (volumes.length === 0 && named.some((source) => source !== 'generated')) {
    report.required(at.child('volume'), 'one of configMap, hostPath, image, persistentVolumeClaim');
  }
}
