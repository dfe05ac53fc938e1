/** The learning library without anything that needs Node: for browsers, with `setEngine(() => localEngine(...))`. */
export type { Callback, CallbackState, TrainedModel, TrainingInfo } from './callbacks/callback.ts';
export { type EarlyStoppingOptions, earlyStopping } from './callbacks/early-stopping.ts';
export type { History } from './callbacks/history.ts';
export { lambdaCallback } from './callbacks/lambda-callback.ts';
export { learningRateScheduler } from './callbacks/learning-rate-scheduler.ts';
export { type ProgressStream, progressBar } from './callbacks/progress-bar.ts';
export { type ReduceLrOnPlateauOptions, reduceLrOnPlateau } from './callbacks/reduce-lr-on-plateau.ts';
export { terminateOnNaN } from './callbacks/terminate-on-nan.ts';
export * from './datasets/augment.ts';
export { Dataset, type MapContext, type ModuleMapOptions } from './datasets/dataset.ts';
export type { Example, NamedExample } from './datasets/example.ts';
export { fromIterable, fromTensors } from './datasets/from-memory.ts';
export type { ImageDataset, LabelledImages } from './datasets/labelled-images.ts';
export { decodeNpy, encodeNpy } from './datasets/npy.ts';
export { type SyntheticOptions, syntheticImages } from './datasets/synthetic.ts';
export { bake } from './export/bake.ts';
export {
  type ExportedModel,
  type ExportOptions,
  exportModel,
  type ModelMetadata,
} from './export/export-model.ts';
export { loadWeights } from './export/load-weights.ts';
export { decodeSafetensors, encodeSafetensors } from './export/safetensors.ts';
export { type DataStatistics, dataStatistics } from './export/statistics.ts';
export type { PostprocessStep, PreprocessStep } from './export/steps.ts';
export {
  type ImportedOnnx,
  type ImportOnnxOptions,
  importOnnx,
  type OnnxLayerOptions,
} from './import/import-onnx.ts';
export {
  decodeKeras,
  decodeKerasWeights,
  encodeKeras,
  encodeKerasWeights,
  type KerasFormat,
} from './keras/files.ts';
export { fromJSON, type KerasModelOptions, toJSON } from './keras/model-config.ts';
export {
  type Activation,
  type ActivationFunction,
  type ActivationName,
  activation,
  activations,
  elu,
  leakyRelu,
} from './layers/activation.ts';
export { averagePooling2d } from './layers/average-pooling2d.ts';
export { batchNormalization } from './layers/batch-normalization.ts';
export { type BidirectionalOptions, bidirectional } from './layers/bidirectional.ts';
export { type Conv2DOptions, conv2d } from './layers/conv2d.ts';
export { type Conv2DTransposeOptions, conv2dTranspose } from './layers/conv2d-transpose.ts';
export { cropping2d } from './layers/cropping2d.ts';
export { dense } from './layers/dense.ts';
export {
  type DepthwiseConv2DOptions,
  depthwiseConv2d,
  type SeparableConv2DOptions,
  separableConv2d,
} from './layers/depthwise-conv2d.ts';
export { dropout } from './layers/dropout.ts';
export { type EmbeddingOptions, embedding } from './layers/embedding.ts';
export { flatten } from './layers/flatten.ts';
export { globalAveragePooling1d, globalMaxPooling1d } from './layers/global-pooling1d.ts';
export { globalAveragePooling2d, globalMaxPooling2d } from './layers/global-pooling2d.ts';
export { type GRUOptions, gru } from './layers/gru.ts';
export {
  constant,
  glorotNormal,
  glorotUniform,
  heNormal,
  heUniform,
  lecunNormal,
  lecunUniform,
  ones,
  orthogonal,
  randomNormal,
  randomUniform,
  truncatedNormal,
  zeros,
} from './layers/initializers.ts';
export { type Input, type InputOptions, input } from './layers/input.ts';
export type { Initializer, Layer, LayerOptions, Regularizer, SymbolicTensor } from './layers/layer.ts';
export { layerNormalization } from './layers/layer-normalization.ts';
export { type LSTMOptions, lstm } from './layers/lstm.ts';
export { maxPool2d, maxPool2d as maxPooling2d } from './layers/max-pool2d.ts';
export {
  add,
  average,
  concatenate,
  maximum,
  minimum,
  multiply,
  subtract,
} from './layers/merging.ts';
export { type MultiHeadAttentionOptions, multiHeadAttention } from './layers/multi-head-attention.ts';
export { gaussianNoise, spatialDropout1d, spatialDropout2d } from './layers/noise.ts';
export {
  averagePooling1d,
  type Conv1DOptions,
  conv1d,
  cropping1d,
  maxPooling1d,
  upSampling1d,
  zeroPadding1d,
} from './layers/one-dimensional.ts';
export { permute, repeatVector } from './layers/permute.ts';
export { type PReLUOptions, prelu, type ReLUOptions, relu, softmax } from './layers/rectifiers.ts';
export type { RecurrentLayer } from './layers/recurrent.ts';
export { l1, l1l2, l2 } from './layers/regularizers.ts';
export { rescaling } from './layers/rescaling.ts';
export { reshape } from './layers/reshape.ts';
export { type SimpleRNNOptions, simpleRNN } from './layers/simple-rnn.ts';
export { timeDistributed } from './layers/time-distributed.ts';
export { upSampling2d } from './layers/up-sampling2d.ts';
export { zeroPadding2d } from './layers/zero-padding2d.ts';
export { binaryCrossentropy, categoricalCrossentropy } from './losses/crossentropy.ts';
export type { Loss } from './losses/loss.ts';
export type { Losses } from './losses/objective.ts';
export { huber, meanAbsoluteError, meanSquaredError } from './losses/regression.ts';
export { sparseCategoricalCrossentropy } from './losses/sparse-categorical-crossentropy.ts';
export type { Metrics } from './metrics/compile-metrics.ts';
export * from './metrics/metric.ts';
export { type FunctionalOptions, model } from './model.ts';
export { decodeModel, encodeModel } from './onnx/codec.ts';
export { adam } from './optimizers/adam.ts';
export { adamW } from './optimizers/adam-w.ts';
export type { Optimizer, OptimizerOptions } from './optimizers/optimizer.ts';
export { proximal } from './optimizers/proximal.ts';
export { rmsprop } from './optimizers/rmsprop.ts';
export {
  cosineDecay,
  cosineDecayRestarts,
  exponentialDecay,
  inverseTimeDecay,
  learningRateAt,
  piecewiseConstantDecay,
  polynomialDecay,
  type Schedule,
} from './optimizers/schedules.ts';
export { sgd } from './optimizers/sgd.ts';
export { type QuantizeOptions, quantizeWith } from './quantize/quantize.ts';
export type { CalibrationMethod } from './quantize/ranges.ts';
export type { Runtime, Session } from './runtime.ts';
export { Sequential, type SequentialOptions, sequential } from './sequential.ts';
export { ShapeError } from './shape.ts';
export { type DType, type Tensor, type TensorData, tensor } from './tensor.ts';
export type { Batch, BatchLogs, BatchSource, Engine, EpochLogs, NamedBatch } from './training/engine.ts';
export { setEngine } from './training/engine-factory.ts';
export type { SampleWeights } from './training/example-weights.ts';
export type {
  CheckpointOptions,
  DatasetFitOptions,
  EvaluateOptions,
  FitOptions,
  ValidationData,
} from './training/fit-options.ts';
export { localEngine } from './training/local-engine.ts';
export { type CompileOptions, type ModelOptions, TrainableModel } from './training/trainable-model.ts';
