import { attributeType, type NodeProto } from '../onnx/schema.ts';
import { byteTensor, type FloatGraph, floatTensor, int32Tensor, type Product } from './float-graph.ts';
import { byteSteps, type Range } from './ranges.ts';
import { quantizeWeights } from './weights.ts';

/** Operators that only move numbers about, so that what comes out has the steps of what goes in. */
const movers = new Set(['Flatten', 'Identity', 'MaxPool', 'Reshape', 'Squeeze', 'Transpose', 'Unsqueeze']);

/** Operators that onnxruntime folds into the product before them. */
const followers = new Set(['Relu', 'Clip']);

/** The activations whose ranges must be known: the inputs and outputs of products. */
export function activationsOf(graph: FloatGraph): string[] {
  const names = graph
    .products()
    .flatMap(({ node }) => [rootOf(graph, node.input![0]!), outputOf(graph, node)]);
  return [...new Set(names)].filter((name) => !isByteInput(graph, name));
}

/** Puts pairs of QuantizeLinear and DequantizeLinear around what is to be computed in 8 bits, which onnxruntime fuses
 * into its integer kernels (https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html). */
export function quantizeStatic(graph: FloatGraph, ranges: Map<string, Range>, perChannel: boolean): void {
  const products = graph.products();
  const steps = new Map([...ranges].map(([name, range]) => [name, byteSteps(range)]));
  const pairs = new Map<string, string>();
  const before = new Map<NodeProto, NodeProto[]>();
  const after = new Map<NodeProto, NodeProto[]>();
  const pairOf = (name: string): { name: string; scale: number } | undefined => {
    const found = steps.get(rootOf(graph, name));
    if (!found) return undefined;
    const known = pairs.get(name);
    if (known) return { name: known, scale: found.scale };
    const producer = graph.producer(name);
    const { nodes, output } = activationPair(graph, name, found);
    if (producer) after.set(producer, [...(after.get(producer) ?? []), ...nodes]);
    else before.set(graph.nodes[0]!, [...(before.get(graph.nodes[0]!) ?? []), ...nodes]);
    pairs.set(name, output);
    return { name: output, scale: found.scale };
  };
  for (const product of products) {
    const x = pairOf(product.node.input![0]!);
    if (!x) continue;
    const nodes = rewriteProduct(graph, product, x, perChannel);
    before.set(product.node, [...(before.get(product.node) ?? []), ...nodes]);
    product.node.input![0] = x.name;
  }
  for (const { node } of products) {
    const output = outputOf(graph, node);
    if (graph.isOutput(output)) continue;
    const pair = pairOf(output);
    // The pair itself is in `after`, not among the nodes yet.
    if (pair)
      for (const user of graph.users(output))
        user.input = user.input!.map((name) => (name === output ? pair.name : name));
  }
  graph.nodes = graph.nodes.flatMap((node) => [
    ...(before.get(node) ?? []),
    node,
    ...(after.get(node) ?? []),
  ]);
}

/** Where the numbers of a value come from, before they were only moved about. */
function rootOf(graph: FloatGraph, name: string): string {
  const producer = graph.producer(name);
  return producer && movers.has(producer.opType!) ? rootOf(graph, producer.input![0]!) : name;
}

/** What a product gives, after the activation that is computed with it. */
function outputOf(graph: FloatGraph, node: NodeProto): string {
  const output = node.output![0]!;
  const [user, ...others] = graph.users(output);
  const isFolded = user && others.length === 0 && followers.has(user.opType!) && !graph.isOutput(output);
  return isFolded ? user.output![0]! : output;
}

/** Bytes that come in have steps of their own. */
function isByteInput(graph: FloatGraph, name: string): boolean {
  const input = graph.model.graph!.input!.find((each) => each.name === name);
  return input !== undefined && input.type?.tensorType?.elemType !== 1;
}

function activationPair(
  graph: FloatGraph,
  name: string,
  { scale, zeroPoint }: { scale: number; zeroPoint: number },
) {
  const [scaleName, pointName] = [graph.fresh(`${name}_scale`), graph.fresh(`${name}_zero_point`)];
  graph.constant(floatTensor(scaleName, [], Float32Array.of(scale)));
  graph.constant(byteTensor(pointName, [], Uint8Array.of(zeroPoint)));
  const [quantized, output] = [graph.fresh(name), graph.fresh(name)];
  const nodes: NodeProto[] = [
    {
      opType: 'QuantizeLinear',
      name: `${quantized}_q`,
      input: [name, scaleName, pointName],
      output: [quantized],
    },
    {
      opType: 'DequantizeLinear',
      name: `${output}_dq`,
      input: [quantized, scaleName, pointName],
      output: [output],
    },
  ];
  return { nodes, output };
}

/** Replaces weights and bias by bytes and integers; returns the nodes that bring them back. */
function rewriteProduct(
  graph: FloatGraph,
  { node, outputAxis }: Product,
  x: { scale: number },
  perChannel: boolean,
): NodeProto[] {
  const [, weights, bias] = node.input as [string, string, string | undefined];
  const { dims = [] } = graph.constants.get(weights)!;
  const { bytes, scales } = quantizeWeights(graph.floats(weights), dims, outputAxis, perChannel);
  const scaleShape = perChannel ? [scales.length] : [];
  const scaleName = graph.constant(floatTensor(graph.fresh(`${weights}_scale`), scaleShape, scales));
  const pointName = graph.constant(
    byteTensor(graph.fresh(`${weights}_zero_point`), scaleShape, new Int8Array(scales.length)),
  );
  const byteName = graph.constant(byteTensor(graph.fresh(weights), dims, bytes));
  node.input![1] = graph.fresh(weights);
  const nodes = [
    dequantize([byteName, scaleName, pointName], node.input![1], perChannel ? outputAxis : undefined),
  ];
  const biasTensor = bias ? graph.constants.get(bias) : undefined;
  if (!bias || biasTensor?.dims?.length !== 1) return nodes;
  const biasScales = scales.map((scale) => scale * x.scale);
  const whole = Int32Array.from(graph.floats(bias), (value, index) =>
    Math.round(value / biasScales[perChannel ? index : 0]!),
  );
  const wholeName = graph.constant(int32Tensor(graph.fresh(bias), [whole.length], whole));
  const biasScale = graph.constant(floatTensor(graph.fresh(`${bias}_scale`), scaleShape, biasScales));
  node.input![2] = graph.fresh(bias);
  return [...nodes, dequantize([wholeName, biasScale], node.input![2], perChannel ? 0 : undefined)];
}

const dequantize = (input: string[], output: string, axis: number | undefined): NodeProto => ({
  opType: 'DequantizeLinear',
  name: `${output}_dq`,
  input,
  output: [output],
  ...(axis !== undefined && { attribute: [{ name: 'axis', type: attributeType.int, i: axis }] }),
});
