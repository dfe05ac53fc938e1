import type { Graph, Value } from '../graph.ts';
import { type Dim, dimOf, sizeOf } from '../shape.ts';
import type { Attribute, ImportedNode } from './read-graph.ts';
import type { Constant } from './read-tensor.ts';

/** What flows along an edge of an imported graph: numbers known while the graph is built, or a tensor. */
export type Datum = Constant | Value;

export const isConstant = (datum: Datum): datum is Constant => 'numbers' in datum;

/** Constants made from shapes are small; one that is larger is damage or an attack. */
export const constantMax = 2 ** 22;

export const integers = (numbers: readonly Dim[], shape: number[] = [numbers.length]): Constant => ({
  isFloat: false,
  shape,
  numbers,
});

/** One node about to be built: its inputs and attributes, by what the operator calls them. */
export class Call {
  readonly node: ImportedNode;
  readonly graph: Graph;
  readonly opset: number;
  /** Whether ONNX's own operators will do, since no gradient is wanted. */
  readonly isInference: boolean;
  /** The batch size that the exporter fixed, which stands for N. */
  readonly fixedBatch: number | undefined;
  readonly inputs: readonly (Datum | undefined)[];

  constructor(
    node: ImportedNode,
    inputs: readonly (Datum | undefined)[],
    context: Pick<Call, 'graph' | 'opset' | 'isInference' | 'fixedBatch'>,
  ) {
    this.node = node;
    this.inputs = inputs;
    this.graph = context.graph;
    this.opset = context.opset;
    this.isInference = context.isInference;
    this.fixedBatch = context.fixedBatch;
  }

  datum(index: number): Datum {
    const datum = this.inputs[index];
    if (!datum) throw new Error(`input ${index} is missing`);
    return datum;
  }

  has(index: number): boolean {
    return this.inputs[index] !== undefined;
  }

  tensor(index: number): Value {
    return this.toTensor(this.datum(index));
  }

  tensors(): Value[] {
    return this.inputs.flatMap((datum) => (datum ? [this.toTensor(datum)] : []));
  }

  toTensor(datum: Datum): Value {
    if (!isConstant(datum)) return datum;
    return this.graph.constant(Array.from(datum.numbers, fixed), datum.shape);
  }

  /** Numbers that must be known while the graph is built. */
  numbers(index: number): number[] {
    return this.dims(index).map(fixed);
  }

  dims(index: number): Dim[] {
    const datum = this.datum(index);
    if (isConstant(datum)) return Array.from(datum.numbers);
    throw new Error(
      `input ${index} ("${this.node.inputs[index]}") must be constant, but it is computed from the data`,
    );
  }

  number(name: string, otherwise: number): number {
    const value = this.node.attributes.get(name);
    return typeof value === 'number' ? value : otherwise;
  }

  list(name: string): number[] | undefined {
    const value = this.node.attributes.get(name);
    return isNumbers(value) ? value : undefined;
  }

  texts(name: string): string[] | undefined {
    const value = this.node.attributes.get(name);
    return Array.isArray(value) && !isNumbers(value) ? value : undefined;
  }

  /** Whether something takes this output of the node. */
  wants(output: number): boolean {
    return Boolean(this.node.outputs[output]);
  }

  text(name: string, otherwise: string): string {
    const value = this.node.attributes.get(name);
    return typeof value === 'string' ? value : otherwise;
  }

  attribute(name: string): Attribute | undefined {
    return this.node.attributes.get(name);
  }

  /** Axes as an attribute or, in later opsets, as an input. */
  axes(index: number, rank: number): number[] | undefined {
    const given = this.list('axes') ?? (this.has(index) ? this.numbers(index) : undefined);
    return given?.map((axis) => fromEnd(axis, rank));
  }
}

const isNumbers = (value: Attribute | undefined): value is number[] =>
  Array.isArray(value) && typeof value[0] !== 'string';

export function fromEnd(axis: number, rank: number): number {
  const positive = axis < 0 ? axis + rank : axis;
  if (Number.isInteger(positive) && positive >= 0 && positive < rank) return positive;
  throw new Error(`axis ${axis} does not exist in ${rank} dimensions`);
}

export function fixed(dim: Dim): number {
  if (typeof dim === 'number') return dim;
  throw new Error('the batch size must be known here, but only the shape after it may be fixed');
}

/** a times b, of which one may be a multiple of the batch size. */
export function multiplyDims(a: Dim, b: Dim): Dim {
  return dimOf(sizeOf([a, b]));
}
