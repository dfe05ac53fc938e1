import * as ort from 'onnxruntime-node';
import { datatypeOf, onnxTypeOf, type Tensor } from './datatype.ts';
import type { OnnxValue } from './session.ts';

/** One ONNX Runtime session on the calling thread, in the server's terms. */
export interface OnnxRuns {
  inputs: OnnxValue[];
  outputs: OnnxValue[];
  run(inputs: Record<string, Tensor>): Promise<Record<string, Tensor>>;
  release(): Promise<void>;
}

/** Throws an Error of ONNX Runtime's if it can't load the bytes, or if a value is no tensor. */
export async function openOnnx(onnx: Uint8Array, threads: number): Promise<OnnxRuns> {
  const session = await ort.InferenceSession.create(onnx, {
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    // Its errors are thrown too; a client's bad requests must not fill the pod's log.
    logSeverityLevel: 4,
    // A spinning pool would burn a core that the pods beside it need.
    extra: { session: { intra_op: { allow_spinning: '0' } } },
  });
  return {
    inputs: describe(session.inputMetadata),
    outputs: describe(session.outputMetadata),
    async run(inputs) {
      const feeds: Record<string, ort.Tensor> = {};
      for (const name in inputs) feeds[name] = toOnnx(inputs[name]!);
      const results = await session.run(feeds);
      const outputs: Record<string, Tensor> = {};
      for (const name in results) {
        const { type, dims, data } = results[name]!;
        outputs[name] = { datatype: datatypeOf(type), shape: [...dims], data: data as Tensor['data'] };
      }
      return outputs;
    },
    release: () => session.release(),
  };
}

function toOnnx({ datatype, shape, data }: Tensor): ort.Tensor {
  // The data's array type belongs to the datatype: `datatype.ts` made it so.
  const tensor = new ort.Tensor(onnxTypeOf(datatype) as 'float32', data as Float32Array, shape);
  if (data instanceof Float16Array) {
    // The native part takes a Float16Array for an empty one, the JavaScript part takes nothing else (1.30).
    const bits = new Uint16Array(data.buffer, data.byteOffset, data.length);
    Object.assign(tensor, { cpuData: bits });
  }
  return tensor;
}

function describe(all: readonly ort.InferenceSession.ValueMetadata[]): OnnxValue[] {
  return all.map((value) => {
    if (!value.isTensor) throw new Error(`"${value.name}" is no tensor: sequences and maps can't be served`);
    datatypeOf(value.type);
    return { name: value.name, type: value.type, shape: [...value.shape] };
  });
}
