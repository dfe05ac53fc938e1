import type { Architecture, PlacedParameter } from '../architecture.ts';
import { Graph, type Value } from '../graph.ts';
import { inferLayers } from '../lower.ts';
import type { Sequential } from '../sequential.ts';
import { encodeSafetensors, layoutSafetensors, type NamedTensor } from './safetensors.ts';
import type { DataStatistics } from './statistics.ts';
import { checkPostprocess, checkPreprocess, type PostprocessStep, type PreprocessStep } from './steps.ts';

/** The file names that the graph and its metadata assume. */
export const graphFile = 'graph.onnx';
export const weightsFile = 'weights.safetensors';

/** One input or output in the terms of the Open Inference Protocol; -1 is the batch dimension. */
export interface TensorMetadata {
  name: string;
  datatype: 'FP32' | 'UINT8' | 'INT32';
  shape: number[];
}

/** What a server must know of a model, and what was measured of it. */
export interface ModelMetadata {
  name: string;
  format: 'onnx';
  files: { graph: string; weights: string };
  inputs: TensorMetadata[];
  outputs: TensorMetadata[];
  /** Names of the classes, in the order of the outputs. */
  labels?: string[];
  /** What the caller must do to data before the model takes them. */
  preprocessing: { layout: 'NHWC'; steps: string[] };
  /** What the model server does to a request's input, so that clients may send encoded images. */
  preprocess?: PreprocessStep[];
  /** What the model server makes of the first output. */
  postprocess?: PostprocessStep[];
  /** The training set's, by which the model server tells drift. */
  statistics?: DataStatistics;
  parameters: number;
  metrics: Record<string, number>;
}

export interface ExportOptions {
  labels?: string[];
  metrics?: Record<string, number>;
  /** Steps that are not in the graph, in words; none by default. */
  preprocessing?: string[];
  /** Steps that the model server does before the graph and after it. */
  preprocess?: PreprocessStep[];
  postprocess?: PostprocessStep[];
  /** Of the training set; see `dataStatistics`. */
  statistics?: DataStatistics;
}

export interface ExportedModel {
  /** f: an ONNX model whose weights are external data in `weights.safetensors`. It is the same after retraining. */
  graph: Uint8Array;
  /** θ: a safetensors file, one tensor a parameter, in Keras' shapes and order. */
  weights: Uint8Array;
  metadata: ModelMetadata;
}

/** Splits a model into its graph f and its weights θ. The graph is made of ONNX's own operators (opset 17). */
export function exportModel(model: Sequential, options: ExportOptions = {}): ExportedModel {
  const { architecture, weights } = model;
  const parameters = architecture.layers.flatMap((layer) => layer.parameters);
  const { labels, metrics = {}, preprocessing = [] } = options;
  const classes = architecture.outputShape.at(-1);
  if (labels && labels.length !== classes) {
    throw new Error(`The model has ${classes} outputs, got ${labels.length} labels`);
  }
  const soleOutput = { true: 'logits', false: 'probabilities', undefined: 'output' }[
    `${model.loss?.fromLogits}`
  ]!;
  const { outputs, inputs } = architecture;
  const outputNames = outputs.length === 1 ? [soleOutput] : outputs.map((output) => output.name);
  const names = inputNames(architecture);
  const openDims = (shape: readonly unknown[]) => shape.map((dim) => (typeof dim === 'number' ? dim : -1));
  return {
    graph: inferenceGraph(model, parameters, outputNames, labels),
    weights: encodeSafetensors(parameters.map((parameter) => namedTensor(parameter, weights))),
    metadata: {
      name: model.name,
      format: 'onnx',
      files: { graph: graphFile, weights: weightsFile },
      inputs: inputs.map(({ input }, index) => ({
        name: names[index]!,
        datatype: datatypes[input.dtype],
        shape: [-1, ...input.shape],
      })),
      outputs: outputs.map(({ shape }, index) => ({
        name: outputNames[index]!,
        datatype: 'FP32',
        shape: openDims(shape),
      })),
      ...(labels && { labels }),
      preprocessing: { layout: 'NHWC', steps: preprocessing },
      ...(options.preprocess && { preprocess: checkPreprocess(options.preprocess) }),
      ...(options.postprocess && { postprocess: checkPostprocess(options.postprocess) }),
      ...(options.statistics && { statistics: options.statistics }),
      parameters: architecture.parameterCount,
      metrics,
    },
  };
}

/** A model's only input is "input", unless it was given a name. */
const inputNames = ({ inputs }: Architecture): string[] =>
  inputs.length === 1 ? [inputs[0]!.input.name ?? 'input'] : inputs.map((input) => input.name);

const datatypes = { float32: 'FP32', uint8: 'UINT8', int32: 'INT32' } as const;

function inferenceGraph(
  { name, architecture }: Sequential,
  parameters: PlacedParameter[],
  outputNames: string[],
  labels?: string[],
): Uint8Array {
  const graph = new Graph();
  const { locations } = layoutSafetensors(parameters);
  const names = inputNames(architecture);
  const inputs = architecture.inputs.map(({ input: { dtype, shape } }, index) =>
    graph.input(names[index]!, dtype, ['N', ...shape]),
  );
  const external = ({ name, shape }: PlacedParameter): Value => {
    const { offset, length } = locations.get(name)!;
    return graph.external(name, shape, { location: weightsFile, offset, length });
  };
  const valuesOf = new Map(architecture.layers.map((placed) => [placed, placed.parameters.map(external)]));
  inferLayers(architecture, inputs, (placed) => valuesOf.get(placed)!).forEach((value, index) => {
    graph.output(outputNames[index]!, value);
  });
  return graph.toModel({ name, ...(labels && { labels: JSON.stringify(labels) }) });
}

const namedTensor = ({ name, shape, offset, size }: PlacedParameter, weights: Float32Array): NamedTensor => ({
  name,
  shape,
  data: weights.subarray(offset, offset + size),
});
