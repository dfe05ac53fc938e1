import { Graph } from '../src/ml/graph.ts';
import { nodeRuntime, tensor } from '../src/ml/index.ts';
import { matMul } from '../src/ml/primitives.ts';

const side = 2048;
const runsPerMeasure = 5;

/** FLOP/s of onnxruntime's own MatMul of two 2048 x 2048 matrices. */
export async function gemmPeak(threads: number) {
  const graph = new Graph();
  const [a, b] = [graph.input('a', 'float32', [side, side]), graph.input('b', 'float32', [side, side])];
  graph.output('product', matMul(a, b));
  const session = await nodeRuntime.open(graph.toModel(), { threads });
  const matrix = tensor(new Float32Array(side * side).fill(0.5), [side, side]);
  return {
    /** The median of several products. */
    async measure(): Promise<number> {
      const seconds: number[] = [];
      for (let run = 0; run < runsPerMeasure; run += 1) {
        const start = performance.now();
        await session.run({ a: matrix, b: matrix });
        seconds.push((performance.now() - start) / 1000);
      }
      seconds.sort((left, right) => left - right);
      return (2 * side ** 3) / seconds[Math.floor(runsPerMeasure / 2)]!;
    },
    close: () => session.release(),
  };
}
