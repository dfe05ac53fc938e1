import { attributeType, type NodeProto } from '../onnx/schema.ts';
import { byteTensor, type FloatGraph, floatTensor, type Product } from './float-graph.ts';
import { quantizeWeights } from './weights.ts';

/** Makes matrix products integer ones, whose activations are quantised by their own range as they come, so that no
 * calibration is needed. Convolutions stay as they are: onnxruntime's dynamic ones are slower than float. */
export function quantizeDynamic(graph: FloatGraph, perChannel: boolean): void {
  const products = new Map(graph.products().map((product) => [product.node, product]));
  graph.nodes = graph.nodes.flatMap((node) => {
    const product = products.get(node);
    return product && node.opType !== 'Conv' ? integerProduct(graph, product, perChannel) : [node];
  });
}

function integerProduct(graph: FloatGraph, { node, outputAxis }: Product, perChannel: boolean): NodeProto[] {
  const [x, weights, bias] = node.input as [string, string, string | undefined];
  const { dims = [] } = graph.constants.get(weights)!;
  const [rows, columns] = outputAxis === 1 ? [dims[0]!, dims[1]!] : [dims[1]!, dims[0]!];
  const data = graph.floats(weights);
  const matrix = outputAxis === 1 ? data : turned(data, rows, columns);
  const { bytes, scales } = quantizeWeights(matrix, [rows, columns], 1, perChannel);
  const shape = perChannel ? [columns] : [];
  const byteName = graph.constant(byteTensor(graph.fresh(weights), [rows, columns], bytes));
  const pointName = graph.constant(
    byteTensor(graph.fresh(`${weights}_zero_point`), shape, new Int8Array(scales.length)),
  );
  const scaleName = graph.constant(floatTensor(graph.fresh(`${weights}_scale`), shape, scales));
  const [xBytes, xScale, xPoint, sums, floats, scale] = [
    'bytes',
    'scale',
    'point',
    'sums',
    'floats',
    'scales',
  ].map((what) => graph.fresh(`${x}_${what}`)) as [string, string, string, string, string, string];
  const [output] = node.output!;
  const product = bias ? graph.fresh(output!) : output!;
  const make = (opType: string, input: string[], output: string[]): NodeProto => ({
    opType,
    name: `${output[0]}_${opType}`,
    input,
    output,
  });
  const cast: NodeProto = {
    ...make('Cast', [sums], [floats]),
    attribute: [{ name: 'to', type: attributeType.int, i: 1 }],
  };
  return [
    make('DynamicQuantizeLinear', [x], [xBytes, xScale, xPoint]),
    make('MatMulInteger', [xBytes, byteName, xPoint, pointName], [sums]),
    cast,
    make('Mul', [xScale, scaleName], [scale]),
    make('Mul', [floats, scale], [product]),
    ...(bias ? [make('Add', [product, bias], [output!])] : []),
  ];
}

/** A matrix [columns, rows] as [rows, columns]. */
const turned = (data: Float32Array, rows: number, columns: number): Float32Array =>
  data.map((_, index) => data[(index % columns) * rows + Math.floor(index / columns)]!);
