import { type Input, input } from '../layers/input.ts';
import type { Layer } from '../layers/layer.ts';
import { model } from '../model.ts';
import type { Sequential, SequentialOptions } from '../sequential.ts';
import { onnxLayer } from './onnx-layer.ts';
import { type ImportedGraph, type ImportedInput, type ImportedNode, readGraph } from './read-graph.ts';

export interface ImportOnnxOptions {
  /** The shape of one example, where the file leaves it open; of several inputs by name. */
  inputShape?: number[] | Record<string, number[]>;
}

export interface OnnxLayerOptions {
  name?: string;
  /** The last node of the layer, or a value, by name; the model's first output by default. */
  until?: string;
  /** This node, or value, and all that it needs keep their weights in training. */
  freezeUntil?: string;
}

/** A third-party ONNX model, to be trained further: its graph as a layer, its weights as that layer's parameters. */
export interface ImportedOnnx {
  /** Fresh inputs for `model({ inputs, outputs })`, or the first of `sequential`. */
  inputs(): Input[];
  /** The graph's nodes in an order of computation, to choose `until` and `freezeUntil` from. */
  readonly nodes: readonly { name: string; type: string; outputs: readonly string[] }[];
  /** The graph, up to one of its values, as a layer that takes the model's inputs. */
  layer(options?: OnnxLayerOptions): Layer;
  /** The graph, up to one of its values, as a model. */
  model(options?: OnnxLayerOptions & Omit<SequentialOptions, 'name'>): Sequential;
}

/** Reads an ONNX model of another tool, such as PyTorch or tf2onnx, so that it can be trained further. Inputs, also
 * images [N, C, H, W], stay as the file has them; the first dimension of each is the batch's.
 *
 *     const base = importOnnx(bytes);
 *     const [x] = base.inputs();
 *     const tuned = sequential([x, base.layer({ until: 'flatten', freezeUntil: 'flatten' }), dense(3)]);
 *
 * @throws Error where the file is damaged or hostile, or has what is not supported. */
export function importOnnx(bytes: Uint8Array, options: ImportOnnxOptions = {}): ImportedOnnx {
  const graph = readGraph(bytes);
  const inputs = () => graph.inputs.map((each) => toInput(each, options));
  const layer = ({ name = 'onnx', until, freezeUntil }: OnnxLayerOptions = {}): Layer => {
    const output = until === undefined ? graph.outputs[0]! : valueNamed(graph, until);
    const frozen = freezeUntil === undefined ? [] : needed(graph, [valueNamed(graph, freezeUntil)]);
    return onnxLayer(
      {
        graph,
        inputs: graph.inputs.map((each) => each.name),
        output,
        nodes: needed(graph, [output]),
        frozen: new Set(frozen.flatMap((node) => node.inputs)),
        fixedBatch: graph.inputs[0]!.shape[0],
      },
      name,
    );
  };
  return {
    inputs,
    nodes: graph.nodes,
    layer,
    model({ name = 'onnx', until, freezeUntil, ...rest } = {}) {
      const taken = inputs();
      const parts = { name, ...(until && { until }), ...(freezeUntil && { freezeUntil }) };
      return model({ inputs: taken, outputs: layer(parts).apply(...taken), name, ...rest });
    },
  };
}

function toInput({ name, shape, isBytes }: ImportedInput, { inputShape }: ImportOnnxOptions): Input {
  const given = Array.isArray(inputShape) ? inputShape : inputShape?.[name];
  const dims = given ?? shape.slice(1);
  if (dims.some((dim) => dim === undefined)) {
    const shown = shape.map((dim) => dim ?? '?').join(', ');
    throw new Error(`The input "${name}" is [${shown}]: give importOnnx the inputShape of one example`);
  }
  return input(dims as number[], { dtype: isBytes ? 'uint8' : 'float32' });
}

/** The value that a node gives, by the node's name, or the value of that name. */
function valueNamed({ nodes, constants }: ImportedGraph, name: string): string {
  const node = nodes.find((each) => each.name === name) ?? nodes.find((each) => each.outputs.includes(name));
  if (node) return node.outputs.includes(name) ? name : node.outputs[0]!;
  const what = constants.has(name) ? 'is an initializer' : 'is not there';
  const last = nodes.slice(-10).map((each) => `${each.name} (${each.type})`);
  throw new Error(`Node "${name}" ${what}; the last nodes are ${last.join(', ')}`);
}

/** The nodes that some values need, in order. */
function needed({ nodes }: ImportedGraph, values: string[]): ImportedNode[] {
  const wanted = new Set(values);
  const found: ImportedNode[] = [];
  for (const node of nodes.toReversed()) {
    if (!node.outputs.some((name) => wanted.has(name))) continue;
    for (const name of node.inputs) wanted.add(name);
    found.push(node);
  }
  return found.reverse();
}
