import { Graph, type Value } from '../graph.ts';
import { defineLayer, type Layer, type Parameter } from '../layers/layer.ts';
import { type Shape, sizeOf } from '../shape.ts';
import { Call, type Datum, isConstant } from './datum.ts';
import { type Operator, operators } from './operators.ts';
import type { ImportedGraph, ImportedNode } from './read-graph.ts';

/** Numbers that one example may take in one place; a graph that claims more is damaged or hostile. */
const elementsMax = 2 ** 28;

/** A stretch of an imported graph: from its inputs to one value. */
export interface Stretch {
  graph: ImportedGraph;
  /** Names of the values that come in. */
  inputs: string[];
  output: string;
  nodes: ImportedNode[];
  /** Names of initializers whose numbers are kept in training. */
  frozen: Set<string>;
  fixedBatch: number | undefined;
}

/** The operands by which an operator learns; other constants, as an exponent, are parts of the graph. */
const learnedOperands: Record<string, readonly number[]> = {
  Add: [0, 1],
  BatchNormalization: [1, 2, 3, 4],
  Conv: [1, 2],
  GRU: [1, 2, 3],
  Gemm: [1, 2],
  LSTM: [1, 2, 3],
  LayerNormalization: [1, 2],
  MatMul: [0, 1],
  Mul: [0, 1],
  PRelu: [1],
  RNN: [1, 2, 3],
};

/** Operators that only move their numbers about, so that who learns by the result learns by what went in. */
const rearranging = new Set([
  'Concat',
  'Identity',
  'Pad',
  'Reshape',
  'Slice',
  'Squeeze',
  'Transpose',
  'Unsqueeze',
]);

const loops = new Set(['Loop', 'Scan']);

/** The layer that computes a stretch of an imported graph; its parameters are the file's weights. */
export function onnxLayer(stretch: Stretch, name: string): Layer {
  const loop = stretch.nodes.find(({ type }) => loops.has(type));
  if (loop)
    throw new Error(
      `node "${loop.name}" (${loop.type}): loops are not read; of a model that was exported here load the .keras file, by loadModel`,
    );
  const learned = learnedNames(stretch);
  const parameters = [...learned].map(([name, isTrainable]) => toParameter(stretch, name, isTrainable));
  const names = parameters.map((parameter) => parameter.name);
  const run = (inputs: readonly Value[], values: Value[], isInference: boolean): Value =>
    evaluate(stretch, inputs, new Map(values.map((value, index) => [names[index]!, value])), isInference);
  const count = stretch.inputs.length;
  return defineLayer({
    type: 'OnnxGraph',
    name,
    inputCount: [count, count],
    outputShape: (...inputs: Shape[]) => outputShape(stretch, parameters, inputs),
    parameters: () => parameters,
    forward: (_x, values, { inputs }) => run(inputs, values, false),
    infer: (_x, values, { inputs }) => run(inputs, values, true),
  });
}

/** Tensors that a node learns by, and whether training may change them: not what is frozen, nor statistics. */
function learnedNames({ graph, nodes, frozen }: Stretch): Map<string, boolean> {
  const learned = new Map<string, boolean>();
  const producers = new Map(nodes.flatMap((node) => node.outputs.map((output) => [output, node] as const)));
  for (const { type, inputs } of nodes) {
    for (const index of learnedOperands[type] ?? []) {
      for (const name of rearrangedFrom(inputs[index], producers)) {
        const constant = graph.constants.get(name);
        if (!constant?.isFloat || constant.shape.length === 0 || constant.numbers.length === 0) continue;
        const isStatistic = type === 'BatchNormalization' && index > 2;
        learned.set(name, (learned.get(name) ?? true) && !isStatistic && !frozen.has(name));
      }
    }
  }
  return learned;
}

/** The values that a value's numbers come from, unchanged. */
function rearrangedFrom(name: string | undefined, producers: ReadonlyMap<string, ImportedNode>): Set<string> {
  const found = new Set(name ? [name] : []);
  // A set also gives what is added while it is gone through.
  for (const each of found) {
    const node = producers.get(each);
    if (!node || !rearranging.has(node.type)) continue;
    for (const input of node.type === 'Concat' ? node.inputs : node.inputs.slice(0, 1)) found.add(input);
  }
  return found;
}

function toParameter({ graph }: Stretch, name: string, isTrainable: boolean): Parameter {
  const { shape, numbers } = graph.constants.get(name)!;
  return { name, shape, isTrainable, initializer: () => Float32Array.from(numbers as ArrayLike<number>) };
}

function outputShape(stretch: Stretch, parameters: Parameter[], shapes: Shape[]): Shape {
  const graph = new Graph();
  const inputs = shapes.map((shape, index) => graph.input(`input_${index}`, 'float32', shape));
  const values = parameters.map(({ name, shape }) => [name, graph.input(name, 'float32', shape)] as const);
  return evaluate(stretch, inputs, new Map(values), false).shape;
}

/** Builds the nodes in their order.
 * @throws Error that names the node which cannot be built, and why. */
function evaluate(
  { graph: imported, inputs: names, output, nodes, fixedBatch }: Stretch,
  inputs: readonly Value[],
  parameters: Map<string, Value>,
  isInference: boolean,
): Value {
  const { graph } = inputs[0]!;
  const known = new Map<string, Datum>([...imported.constants, ...parameters]);
  names.forEach((name, index) => {
    known.set(name, inputs[index]!);
  });
  const wanted = new Set([output, ...nodes.flatMap((node) => node.inputs)]);
  for (const each of nodes) {
    const node = { ...each, outputs: each.outputs.map((name) => (wanted.has(name) ? name : '')) };
    const operands = node.inputs.map((name) => (name ? known.get(name) : undefined));
    const context = { graph, opset: imported.opset, isInference, fixedBatch };
    const results = [build(node, new Call(node, operands, context))].flat();
    node.outputs.forEach((name, index) => {
      if (name && results[index]) known.set(name, results[index]);
    });
  }
  const result = known.get(output);
  if (!result || isConstant(result)) throw new Error(`"${output}" does not depend on the model's input`);
  return result;
}

function build(node: ImportedNode, call: Call): ReturnType<Operator> {
  const place = `node "${node.name}" (${node.type})`;
  if (!Object.hasOwn(operators, node.type)) {
    throw new Error(
      `${place}: ${node.type} has no gradient here; supported are ${Object.keys(operators).sort().join(', ')}`,
    );
  }
  try {
    const built = operators[node.type]!(call);
    for (const datum of [built].flat()) checkSize(datum);
    return built;
  } catch (cause) {
    throw new Error(`${place}: ${(cause as Error).message}`, { cause });
  }
}

function checkSize(datum: Datum | undefined): void {
  if (!datum || isConstant(datum)) return;
  const { coefficient } = sizeOf(datum.shape);
  if (coefficient >= 0 && coefficient <= elementsMax) return;
  throw new Error(`its output [${datum.shape.join(', ')}] is larger than ${elementsMax} numbers an example`);
}
