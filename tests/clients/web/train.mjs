// Runs training steps of a graph with onnxruntime-web: what a step gives goes into the next, as in Node.
import * as ort from '/ort/ort.wasm.min.mjs';

ort.env.wasm.wasmPaths = '/ort/';
ort.env.wasm.numThreads = 1;
// Its own worker would need a page of cross-origin isolation.
ort.env.wasm.proxy = false;

const arrays = { float32: Float32Array, int32: Int32Array, uint8: Uint8Array };

async function train() {
  const graph = await (await fetch('/train.onnx')).arrayBuffer();
  const { state, slots, steps } = await (await fetch('/steps.json')).json();
  const session = await ort.InferenceSession.create(graph);
  const toTensor = ({ dtype, shape, data }) => new ort.Tensor(dtype, arrays[dtype].from(data), shape);
  let kept = Object.fromEntries(Object.entries(state).map(([name, tensor]) => [name, toTensor(tensor)]));
  const losses = [];
  for (const step of steps) {
    const fresh = Object.fromEntries(Object.entries(step).map(([name, tensor]) => [name, toTensor(tensor)]));
    const outputs = await session.run({ ...kept, ...fresh });
    losses.push(outputs.loss.data[0]);
    kept = Object.fromEntries(['weights', ...slots].map((name) => [name, outputs[`next_${name}`]]));
  }
  return { losses, weights: [...kept.weights.data] };
}

const result = await train().catch((error) => ({ error: String(error?.stack ?? error) }));
await fetch('/result', { method: 'POST', body: JSON.stringify(result) });
