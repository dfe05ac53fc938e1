import type { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import type { Runtime, Session } from '../runtime.ts';
import type { Tensor, TensorData } from '../tensor.ts';

/** How long a thread of onnxruntime spins for its next piece of work before it sleeps. Its default is longer, which
 * gains a little on an idle machine and loses much where other processes want the same processors. */
const spinDurationUs = 100;

/** onnxruntime's CPU engine. Its threads stop spinning when a run ends: two sessions used in turn would
 * otherwise wait for each other's. */
export const nodeRuntime: Runtime = {
  async open(model, { threads }) {
    const ort = (await import('onnxruntime-node')).default;
    const options: InferenceSession.SessionOptions = {
      graphOptimizationLevel: 'all',
      interOpNumThreads: 1,
      logSeverityLevel: 3,
      extra: {
        session: { force_spinning_stop: '1', intra_op: { spin_duration_us: String(spinDurationUs) } },
      },
      ...(threads && { intraOpNumThreads: threads }),
    };
    const session = await ort.InferenceSession.create(model, options);
    return wrap(session, ({ dtype, data, shape }) => new ort.Tensor(dtype, data as Float32Array, shape));
  },
};

function wrap(session: InferenceSession, toOrt: (tensor: Tensor) => OrtTensor): Session {
  return {
    async run(feeds) {
      const inputs = Object.fromEntries(Object.entries(feeds).map(([name, tensor]) => [name, toOrt(tensor)]));
      const outputs = await session.run(inputs);
      return Object.fromEntries(Object.entries(outputs).map(([name, tensor]) => [name, fromOrt(tensor)]));
    },
    release: () => session.release(),
  };
}

const fromOrt = (tensor: OrtTensor): Tensor => ({
  // The programs give float32 alone; strings and half floats never come.
  dtype: tensor.type as Tensor['dtype'],
  shape: [...tensor.dims],
  data: tensor.data as TensorData,
});
