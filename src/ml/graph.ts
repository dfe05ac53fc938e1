import { encodeModel } from './onnx/codec.ts';
import {
  type AttributeProto,
  attributeType,
  externalLocation,
  type GraphProto,
  type NodeProto,
  type TensorProto,
  type ValueInfoProto,
} from './onnx/schema.ts';
import type { RandomInput } from './random-inputs.ts';
import type { Shape } from './shape.ts';
import { bytesOf, type DType, onnxDType, type Tensor, type TensorData, tensor } from './tensor.ts';

/** ONNX opset 17 and IR version 8 (ONNX 1.12): what every onnxruntime since 2022 runs. */
const opsetVersion = 17;
const irVersion = 8;

/** A tensor that a graph computes: its name in the ONNX file, element type and static shape. */
export interface Value {
  readonly graph: Graph;
  readonly name: string;
  readonly dtype: DType;
  readonly shape: Shape;
}

export type Attributes = Record<string, number | number[] | string | string[] | Graph>;

/** One differentiable step: from the gradient of its output, the gradients of its inputs. */
export interface Operation {
  inputs: Value[];
  output: Value;
  pullback: (gradient: Value) => (Value | undefined)[];
}

/** Where the bytes of an initializer lie in the file beside the model. */
export interface ExternalData {
  location: string;
  offset: number;
  length: number;
}

interface GraphNode {
  opType: string;
  inputs: Value[];
  /** Undefined where one is not asked for. */
  outputs: (Value | undefined)[];
  attributes: Attributes;
}

/** An ONNX graph under construction. Values are made by `primitives.ts` and `ops/`; nodes that no output
 * needs are left out of the file. */
export class Graph {
  /** The type that `constant` and the ops give to real numbers; float64 is for checking gradients. */
  readonly float: 'float32' | 'float64';
  readonly tape: Operation[] = [];
  readonly randomInputs: RandomInput[] = [];
  readonly #prefix: string;
  readonly #nodes: GraphNode[] = [];
  readonly #producers = new Map<Value, GraphNode>();
  readonly #inputs: Value[] = [];
  readonly #outputs: { name: string; value: Value }[] = [];
  readonly #initializers = new Map<Value, TensorProto>();
  readonly #constants = new Map<string, Value>();
  #count = 0;

  constructor({ float = 'float32', prefix = '' }: { float?: 'float32' | 'float64'; prefix?: string } = {}) {
    this.float = float;
    this.#prefix = prefix;
  }

  /** A graph for a node's attribute, as a loop's body. Its nodes may take this graph's values. */
  body(): Graph {
    return new Graph({ float: this.float, prefix: `${this.#name('body')}_` });
  }

  input(name: string, dtype: DType, shape: Shape): Value {
    const value = { graph: this, name: this.#prefix + name, dtype, shape };
    this.#inputs.push(value);
    return value;
  }

  /** An input of random numbers, which whoever runs the graph draws anew for each step (`random-inputs.ts`). */
  random(distribution: RandomInput['distribution'], shape: Shape, seed: number): Value {
    const name = `random_${this.randomInputs.length}`;
    this.randomInputs.push({ name, shape, seed, distribution });
    return this.input(name, 'float32', shape);
  }

  output(name: string, value: Value): void {
    this.#outputs.push({ name: this.#prefix + name, value });
  }

  /** A real number, or real numbers, in the graph's own float type. */
  constant(numbers: number | readonly number[], shape?: number[]): Value {
    const list = typeof numbers === 'number' ? [numbers] : numbers;
    const data = this.float === 'float64' ? new Float64Array(list) : new Float32Array(list);
    return this.initializer(tensor(data, shape ?? (typeof numbers === 'number' ? [] : [list.length])));
  }

  integers(numbers: readonly number[], shape: number[] = [numbers.length]): Value {
    return this.initializer(tensor(BigInt64Array.from(numbers, BigInt), shape));
  }

  /** A constant tensor; the same small constant is stored once. */
  initializer({ dtype, shape, data }: Tensor, name?: string): Value {
    const key = !name && data.length <= 64 ? `${dtype}|${shape}|${data}` : undefined;
    const known = key && this.#constants.get(key);
    if (known) return known;
    const value = this.#declare(dtype, shape, name ?? this.#name('constant'));
    this.#initializers.set(value, {
      dims: shape,
      dataType: onnxDType[dtype],
      name: value.name,
      rawData: littleEndian(data),
    });
    if (key) this.#constants.set(key, value);
    return value;
  }

  /** A constant whose bytes stand in another file, by ONNX's external data. */
  external(name: string, shape: number[], { location, offset, length }: ExternalData): Value {
    const value = this.#declare('float32', shape, name);
    this.#initializers.set(value, {
      dims: shape,
      dataType: onnxDType.float32,
      name,
      externalData: [
        { key: 'location', value: location },
        { key: 'offset', value: String(offset) },
        { key: 'length', value: String(length) },
      ],
      dataLocation: externalLocation,
    });
    return value;
  }

  /** Appends one ONNX operator. Shapes are inferred by the caller, `primitives.ts`. */
  node(
    opType: string,
    inputs: Value[],
    { dtype, shape }: { dtype: DType; shape: Shape },
    attributes: Attributes = {},
    outputIndex = 0,
  ): Value {
    const before = new Array<undefined>(outputIndex).fill(undefined);
    return this.nodeOfMany(opType, inputs, [...before, { dtype, shape }], attributes)[outputIndex]!;
  }

  /** The same of an operator with several outputs. */
  nodeOfMany(
    opType: string,
    inputs: Value[],
    kinds: ({ dtype: DType; shape: Shape } | undefined)[],
    attributes: Attributes = {},
  ): (Value | undefined)[] {
    const outputs = kinds.map((kind) => kind && this.#declare(kind.dtype, kind.shape, this.#name(opType)));
    const node = { opType, inputs, outputs, attributes };
    this.#nodes.push(node);
    for (const output of outputs) if (output) this.#producers.set(output, node);
    return outputs;
  }

  /** The node that computes a value; undefined for inputs and constants. */
  producer(value: Value): Readonly<GraphNode> | undefined {
    return this.#producers.get(value);
  }

  /** The finished ONNX file. */
  toModel(metadata: Record<string, string> = {}): Uint8Array {
    return encodeModel({
      irVersion,
      producerName: 'selvage',
      opsetImport: [{ domain: '', version: opsetVersion }],
      metadataProps: Object.entries(metadata).map(([key, value]) => ({ key, value })),
      graph: this.toProto(),
    });
  }

  toProto(): GraphProto {
    const outputs = this.#outputs.map(({ name, value }) => ({
      name,
      value: this.node('Identity', [value], value),
    }));
    const renamed = new Map(outputs.map(({ name, value }) => [value, name]));
    const needed = this.#neededBy(outputs.map((output) => output.value));
    return {
      name: `${this.#prefix}selvage`,
      node: this.#nodes.filter((node) => isNeeded(node, needed)).map((node) => toNodeProto(node, renamed)),
      initializer: [...this.#initializers].filter(([value]) => needed.has(value)).map(([, proto]) => proto),
      input: this.#inputs.map((value) => toValueInfo(value, value.name)),
      output: outputs.map(({ name, value }) => toValueInfo(value, name)),
    };
  }

  /** Values of other graphs that this one's nodes take. */
  taken(): Value[] {
    const inputs = this.#nodes.flatMap((node) => [...node.inputs, ...takenByBodies(node)]);
    const outputs = this.#outputs.map(({ value }) => value);
    return [...new Set([...inputs, ...outputs])].filter(({ graph }) => graph !== this);
  }

  #declare(dtype: DType, shape: Shape, name: string): Value {
    return { graph: this, name, dtype, shape };
  }

  #name(stem: string): string {
    this.#count += 1;
    return `${this.#prefix}${stem}_${this.#count}`;
  }

  #neededBy(outputs: Value[]): Set<Value> {
    const needed = new Set<Value>(outputs);
    // Nodes stand in the order of their computation, so one walk backwards meets every user first.
    for (const node of this.#nodes.toReversed()) {
      if (!isNeeded(node, needed)) continue;
      for (const input of [...node.inputs, ...takenByBodies(node)]) needed.add(input);
    }
    return needed;
  }
}

const isNeeded = ({ outputs }: GraphNode, needed: ReadonlySet<Value>): boolean =>
  outputs.some((output) => output && needed.has(output));

const takenByBodies = ({ attributes }: GraphNode): Value[] =>
  Object.values(attributes).flatMap((value) => (value instanceof Graph ? value.taken() : []));

function toNodeProto(
  { opType, inputs, outputs, attributes }: GraphNode,
  renamed: Map<Value, string>,
): NodeProto {
  return {
    input: inputs.map((value) => value.name),
    output: outputs.map((output) => (output ? (renamed.get(output) ?? output.name) : '')),
    name: outputs.find((output) => output)!.name,
    opType,
    attribute: Object.entries(attributes).map(([name, value]) => toAttribute(name, value)),
  };
}

/** Real-valued attributes are told from integers by name: ONNX gives each attribute one fixed type. */
const realAttributes = new Set(['alpha', 'beta', 'epsilon', 'seed']);

function toAttribute(name: string, value: Attributes[string]): AttributeProto {
  if (typeof value === 'string') {
    return { name, type: attributeType.string, s: new TextEncoder().encode(value) };
  }
  if (value instanceof Graph) return { name, type: attributeType.graph, g: value.toProto() };
  if (isStrings(value)) {
    const strings = value.map((text) => new TextEncoder().encode(text));
    return { name, type: attributeType.strings, strings };
  }
  if (Array.isArray(value)) return { name, type: attributeType.ints, ints: value };
  if (realAttributes.has(name)) return { name, type: attributeType.float, f: value };
  return { name, type: attributeType.int, i: value };
}

const isStrings = (value: Attributes[string]): value is string[] =>
  Array.isArray(value) && typeof value[0] === 'string';

function toValueInfo({ dtype, shape }: Value, name: string): ValueInfoProto {
  const dim = shape.map((d) => (typeof d === 'number' ? { dimValue: d } : { dimParam: d }));
  return { name, type: { tensorType: { elemType: onnxDType[dtype], shape: { dim } } } };
}

/** ONNX's raw data are little-endian, as is every machine that onnxruntime supports but s390x. */
function littleEndian(data: TensorData): Uint8Array {
  return bytesOf(data).slice();
}
