// The worker thread of one model: loads it, tells its inputs and outputs, then answers runs in order.
import { parentPort, workerData } from 'node:worker_threads';
import type { Tensor } from './datatype.ts';
import { openOnnx } from './onnx-runs.ts';
import type { WorkerReply } from './worker-session.ts';

const { onnx, threads } = workerData as { onnx: Uint8Array; threads: number };
const port = parentPort!;
const runs = await openOnnx(onnx, threads);
reply({ kind: 'loaded', inputs: runs.inputs, outputs: runs.outputs });

port.on('message', async ({ id, inputs }: { id: number; inputs: Record<string, Tensor> }) => {
  try {
    reply({ kind: 'result', id, outputs: await runs.run(inputs) });
  } catch (error) {
    reply({ kind: 'failed', id, message: (error as Error).message });
  }
});

function reply(message: WorkerReply): void {
  port.postMessage(message);
}
