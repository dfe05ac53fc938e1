/** selvage/ml: build, train, evaluate and export models, in Node. */
import { WorkerEngine } from './node/worker-engine.ts';
import { setEngine } from './training/engine-factory.ts';

export { csvLogger } from './callbacks/csv-logger.ts';
export { type ModelCheckpointOptions, modelCheckpoint } from './callbacks/model-checkpoint.ts';
export { type CifarOptions, loadCifar10 } from './datasets/cifar10.ts';
export { type CsvDataset, type CsvOptions, csvDataset } from './node/csv-dataset.ts';
export { type ImageFolder, type ImageFolderOptions, imageFolder } from './node/images/image-folder.ts';
export { loadKerasWeights, loadModel, saveKerasWeights, saveModel } from './node/keras-files.ts';
export { npyDataset, readNpy, readNpz, writeNpy, writeNpz } from './node/numpy-files.ts';
export { nodeRuntime } from './node/onnxruntime.ts';
export { quantize } from './node/quantize.ts';
export * from './portable.ts';

setEngine((options) => new WorkerEngine(options));
