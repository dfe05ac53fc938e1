// The worker thread of one model: loads it, tells its inputs and outputs, then answers runs in order.
import { parentPort, workerData } from 'node:worker_threads';
import * as ort from 'onnxruntime-node';
import { onnxTypeOf, type Tensor } from './datatype.ts';
import type { WorkerReply, WorkerTensor } from './session.ts';

const { onnx, threads } = workerData as { onnx: Uint8Array; threads: number };
const port = parentPort!;

const session = await ort.InferenceSession.create(onnx, {
  intraOpNumThreads: threads,
  interOpNumThreads: 1,
  // A spinning pool would burn a core that the pods beside it need.
  extra: { session: { intra_op: { allow_spinning: '0' } } },
});
const describe = (all: readonly ort.InferenceSession.ValueMetadata[]) =>
  all.map((value) => {
    if (!value.isTensor) throw new Error(`"${value.name}" is no tensor: sequences and maps can't be served`);
    return { name: value.name, type: value.type, shape: [...value.shape] };
  });
reply({ kind: 'loaded', inputs: describe(session.inputMetadata), outputs: describe(session.outputMetadata) });

port.on('message', async ({ id, inputs }: { id: number; inputs: Record<string, Tensor> }) => {
  try {
    const results = await session.run(toFeeds(inputs));
    const outputs = Object.entries(results).map(([name, { type, dims, data }]) => [
      name,
      { type, dims: [...dims], data },
    ]);
    reply({ kind: 'result', id, outputs: Object.fromEntries(outputs) as Record<string, WorkerTensor> });
  } catch (error) {
    reply({ kind: 'failed', id, message: (error as Error).message });
  }
});

function toFeeds(inputs: Record<string, Tensor>): Record<string, ort.Tensor> {
  const feeds = Object.entries(inputs).map(([name, { datatype, shape, data }]) => [
    name,
    // The data's array type belongs to the datatype: `datatype.ts` made it so.
    new ort.Tensor(onnxTypeOf(datatype) as 'float32', data as Float32Array, shape),
  ]);
  return Object.fromEntries(feeds);
}

function reply(message: WorkerReply): void {
  port.postMessage(message);
}
