import { decodeModel, encodeModel } from '../onnx/codec.ts';
import { externalLocation, type ModelProto, type NodeProto, type TensorProto } from '../onnx/schema.ts';

/** A node that multiplies by constant weights, which may become 8-bit. */
export interface Product {
  node: NodeProto;
  /** The axis of the weights along which outputs lie. */
  outputAxis: number;
}

/** A float model to be rewritten: its nodes in order, its constants by name. */
export class FloatGraph {
  readonly model: ModelProto;
  nodes: NodeProto[];
  readonly constants = new Map<string, TensorProto>();
  #count = 0;

  /** @throws Error where the weights are in another file, or the model is too old. */
  constructor(bytes: Uint8Array) {
    this.model = decodeModel(bytes);
    const { node = [], initializer = [] } = this.model.graph!;
    const opset = this.model.opsetImport?.find(({ domain = '' }) => domain === '')?.version ?? 0;
    // Before it, DequantizeLinear has no axis.
    if (opset < 13) throw new Error(`The model is of ONNX opset ${opset}; quantisation needs 13 or newer`);
    for (const tensor of initializer) {
      if (tensor.dataLocation === externalLocation) {
        throw new Error(`The weights "${tensor.name}" are in another file: bake(graph, weights) first`);
      }
      this.constants.set(tensor.name!, tensor);
    }
    this.nodes = this.#fold(node);
  }

  /** Transposes constants now, so that what multiplies by them sees constants. */
  #fold(nodes: NodeProto[]): NodeProto[] {
    return nodes.filter(({ opType, input = [], output = [], attribute = [] }) => {
      const tensor = this.constants.get(input[0] ?? '');
      const perm = attribute.find(({ name }) => name === 'perm')?.ints;
      if (opType !== 'Transpose' || !perm || !tensor || tensor.dataType !== float32) return true;
      const dims = perm.map((axis) => tensor.dims![axis]!);
      this.constants.set(
        output[0]!,
        floatTensor(output[0]!, dims, permute(this.floats(input[0]!), tensor.dims!, perm)),
      );
      return false;
    });
  }

  floats(name: string): Float32Array {
    const { rawData, floatData = [] } = this.constants.get(name)!;
    return rawData ? new Float32Array(rawData.slice().buffer) : Float32Array.from(floatData);
  }

  /** Convolutions and matrix products by constant float weights. */
  products(): Product[] {
    return this.nodes.flatMap((node) => {
      const weights = this.constants.get(node.input?.[1] ?? '');
      if (weights?.dataType !== float32 || this.constants.has(node.input![0]!)) return [];
      const flag = (name: string) => node.attribute?.find((each) => each.name === name);
      const rank = weights.dims?.length ?? 0;
      if (node.opType === 'Conv' && rank === 4) return [{ node, outputAxis: 0 }];
      if (node.opType === 'MatMul' && rank === 2) return [{ node, outputAxis: 1 }];
      const isPlain = !flag('transA')?.i && (flag('alpha')?.f ?? 1) === 1 && (flag('beta')?.f ?? 1) === 1;
      if (node.opType === 'Gemm' && isPlain) return [{ node, outputAxis: flag('transB')?.i ? 0 : 1 }];
      return [];
    });
  }

  producer(name: string): NodeProto | undefined {
    return this.nodes.find(({ output = [] }) => output.includes(name));
  }

  users(name: string): NodeProto[] {
    return this.nodes.filter(({ input = [] }) => input.includes(name));
  }

  isOutput(name: string): boolean {
    return this.model.graph!.output!.some((each) => each.name === name);
  }

  fresh(stem: string): string {
    this.#count += 1;
    return `${stem}_quantized_${this.#count}`;
  }

  constant(tensor: TensorProto): string {
    this.constants.set(tensor.name!, tensor);
    return tensor.name!;
  }

  /** The rewritten model; constants that nothing uses are left out. */
  encode(): Uint8Array {
    const used = new Set(this.nodes.flatMap(({ input = [] }) => input));
    const initializer = [...this.constants.values()].filter(
      ({ name }) => used.has(name!) || this.isOutput(name!),
    );
    return encodeModel({ ...this.model, graph: { ...this.model.graph, node: this.nodes, initializer } });
  }
}

const float32 = 1;

export const floatTensor = (name: string, dims: number[], data: Float32Array): TensorProto => ({
  name,
  dims,
  dataType: float32,
  rawData: new Uint8Array(data.slice().buffer),
});

export const byteTensor = (name: string, dims: number[], data: Int8Array | Uint8Array): TensorProto => ({
  name,
  dims,
  dataType: data instanceof Int8Array ? 3 : 2,
  rawData: new Uint8Array(data.slice().buffer),
});

export const int32Tensor = (name: string, dims: number[], data: Int32Array): TensorProto => ({
  name,
  dims,
  dataType: 6,
  rawData: new Uint8Array(data.slice().buffer),
});

function permute(data: Float32Array, dims: number[], perm: number[]): Float32Array {
  const strides = dims.map((_, axis) => dims.slice(axis + 1).reduce((product, dim) => product * dim, 1));
  const shape = perm.map((axis) => dims[axis]!);
  const index = shape.map(() => 0);
  return data.map(() => {
    const from = index.reduce((offset, at, axis) => offset + at * strides[perm[axis]!]!, 0);
    for (let axis = shape.length - 1; axis >= 0; axis -= 1) {
      index[axis]! += 1;
      if (index[axis]! < shape[axis]!) break;
      index[axis] = 0;
    }
    return data[from]!;
  });
}
