import { decodeModel } from '../onnx/codec.ts';
import { type AttributeProto, attributeType, type NodeProto, type ValueInfoProto } from '../onnx/schema.ts';
import { type Constant, readTensor } from './read-tensor.ts';

export type Attribute = number | number[] | string | string[] | Constant;

export interface ImportedNode {
  /** The exporter's, or that of the first output. */
  name: string;
  type: string;
  /** Names of values; an empty one is an input that is left out. */
  inputs: string[];
  outputs: string[];
  attributes: Map<string, Attribute>;
}

export interface ImportedInput {
  name: string;
  /** Undefined where the file leaves a dimension open. */
  shape: (number | undefined)[];
  isBytes: boolean;
}

/** A checked ONNX graph, its nodes in an order of computation. */
export interface ImportedGraph {
  opset: number;
  inputs: ImportedInput[];
  outputs: string[];
  nodes: ImportedNode[];
  constants: Map<string, Constant>;
}

/** Versions of ONNX's operators whose meaning is known here. */
const opsets = { least: 7, most: 22 };

/** @throws Error where the bytes are no ONNX model, damaged, cyclic, or lack something. */
export function readGraph(bytes: Uint8Array): ImportedGraph {
  const { graph, opsetImport = [] } = decodeModel(bytes);
  const foreign = opsetImport.find(({ domain = '' }) => domain !== '' && domain !== 'ai.onnx');
  const opset = opsetImport.find(({ domain = '' }) => domain === '' || domain === 'ai.onnx')?.version ?? 0;
  if (opset < opsets.least || opset > opsets.most) {
    throw new Error(`The model is of ONNX opset ${opset}; supported are ${opsets.least} to ${opsets.most}`);
  }
  const constants = new Map<string, Constant>();
  for (const tensor of graph!.initializer ?? []) {
    constants.set(tensor.name ?? '', readTensor(tensor, `The initializer "${tensor.name}"`));
  }
  const nodes = (graph!.node ?? []).map((node, index) => readNode(node, index, foreign?.domain));
  // Until IR version 4 initializers stood among the inputs.
  const inputs = (graph!.input ?? []).filter(({ name = '' }) => !constants.has(name)).map(readInput);
  const outputs = (graph!.output ?? []).map(({ name = '' }) => name);
  if (inputs.length === 0 || outputs.length === 0)
    throw new Error('The ONNX model has no inputs or no outputs');
  const known = new Set([...constants.keys(), ...inputs.map(({ name }) => name)]);
  return { opset, inputs, outputs, nodes: inOrder(nodes, known, outputs), constants };
}

function readNode(
  { input = [], output = [], name, opType = '', attribute = [] }: NodeProto,
  index: number,
  foreign?: string,
): ImportedNode {
  if (output.length === 0) throw new Error(`Node ${index} (${opType}) has no output`);
  const title = name || output[0]!;
  const attributes = new Map(
    attribute.map((each) => [
      each.name ?? '',
      readAttribute(each, `The attribute ${each.name} of node "${title}"`),
    ]),
  );
  if (foreign && !opType) throw new Error(`Node "${title}" is of the domain ${foreign}`);
  return { name: title, type: opType, inputs: input, outputs: output, attributes };
}

function readAttribute({ type, f, i, s, t, floats, ints, strings }: AttributeProto, what: string): Attribute {
  if (t) return readTensor(t, what);
  if (type === attributeType.float || f !== undefined) return f ?? 0;
  if (type === attributeType.int || i !== undefined) return i ?? 0;
  if (s) return new TextDecoder().decode(s);
  if (strings?.length) return strings.map((text) => new TextDecoder().decode(text));
  // Absent is empty in Protocol Buffers. Sub-graphs have no meaning for any operator that is supported.
  return ints ?? floats ?? [];
}

function readInput({ name = '', type }: ValueInfoProto): ImportedInput {
  const tensor = type?.tensorType;
  const dims = tensor?.shape?.dim;
  if (!tensor || !dims) throw new Error(`The input "${name}" is no tensor of known rank`);
  const uint8 = 2;
  const float32 = 1;
  if (tensor.elemType !== float32 && tensor.elemType !== uint8) {
    throw new Error(
      `The input "${name}" has element type ${tensor.elemType}: only float32 and uint8 are supported`,
    );
  }
  const shape = dims.map(({ dimValue }) => (dimValue !== undefined && dimValue > 0 ? dimValue : undefined));
  return { name, shape, isBytes: tensor.elemType === uint8 };
}

/** Each node after those that it needs (Kahn, 1962).
 * @throws Error for a cycle, a value that nothing gives, and one that two nodes give. */
function inOrder(nodes: ImportedNode[], known: Set<string>, outputs: string[]): ImportedNode[] {
  const producers = new Map<string, ImportedNode>();
  for (const node of nodes) {
    for (const output of node.outputs.filter(Boolean)) {
      if (producers.has(output) || known.has(output)) throw new Error(`Two nodes give "${output}"`);
      producers.set(output, node);
    }
  }
  const users = new Map<ImportedNode, ImportedNode[]>();
  const open = new Map<ImportedNode, number>();
  for (const node of nodes) {
    const needed = new Set(node.inputs.filter((name) => name && !known.has(name)));
    for (const name of needed) {
      const producer = producers.get(name);
      if (!producer)
        throw new Error(`Node "${node.name}" (${node.type}) needs "${name}", which nothing gives`);
      users.set(producer, [...(users.get(producer) ?? []), node]);
    }
    open.set(node, needed.size);
  }
  const missing = outputs.find((name) => !producers.has(name) && !known.has(name));
  if (missing !== undefined) throw new Error(`Nothing gives the output "${missing}"`);
  const ready = nodes.filter((node) => open.get(node) === 0);
  for (const node of ready) {
    for (const user of users.get(node) ?? []) {
      const left = open.get(user)! - 1;
      open.set(user, left);
      if (left === 0) ready.push(user);
    }
  }
  if (ready.length === nodes.length) return ready;
  const stuck = nodes.find((node) => open.get(node)! > 0)!;
  throw new Error(`The graph is cyclic: node "${stuck.name}" (${stuck.type}) needs its own output`);
}
