import { bake } from '../export/bake.ts';
import { exportModel } from '../export/export-model.ts';
import type { Runtime } from '../runtime.ts';
import type { Sequential } from '../sequential.ts';
import type { Tensor } from '../tensor.ts';
import { calibrate } from './calibrate.ts';
import { quantizeDynamic } from './dynamic.ts';
import { FloatGraph } from './float-graph.ts';
import { type CalibrationMethod, chooseRange } from './ranges.ts';
import { activationsOf, quantizeStatic } from './static.ts';

export interface QuantizeOptions {
  /** Examples x [count, ...] that the model will meet, some hundreds. With them convolutions and matrix products are
   * computed in 8 bits (static); without, matrix products alone (dynamic). */
  calibration?: Tensor;
  /** How an activation's range is chosen: all that was seen (by default), all but the outermost numbers, or by
   * least loss of information. */
  method?: CalibrationMethod;
  /** Of 'percentile': the share of the numbers that is kept, 99.99 by default. */
  percentile?: number;
  /** Whether each output's weights have a scale of their own; true by default. */
  perChannel?: boolean;
  batchSize?: number;
}

/** A model, or a whole ONNX file (opset 13 or newer), with 8-bit weights and integer arithmetic, as an ONNX file that
 * onnxruntime's CPU kernels run fast. Post-training: nothing is learned again.
 * @throws Error where nothing in the model can be quantised, or its weights are in another file. */
export async function quantizeWith(
  runtime: Runtime,
  model: Sequential | Uint8Array,
  options: QuantizeOptions = {},
): Promise<Uint8Array> {
  const {
    calibration: x,
    method = 'minMax',
    percentile = 99.99,
    perChannel = true,
    batchSize = 32,
  } = options;
  if (!(percentile > 50 && percentile <= 100)) {
    throw new RangeError(`percentile must be above 50 and at most 100, got ${percentile}`);
  }
  const graph = new FloatGraph(model instanceof Uint8Array ? model : baked(model));
  if (graph.products().length === 0) {
    throw new Error('There is nothing to quantise: no Conv, MatMul or Gemm by constant float32 weights');
  }
  if (!x) quantizeDynamic(graph, perChannel);
  else {
    if (!x.shape[0]) throw new Error('The calibration set is empty');
    const names = activationsOf(graph);
    const float = new FloatGraph(graph.encode());
    const histograms = await calibrate(runtime, float.model, names, { x, batchSize });
    const ranges = new Map(
      [...histograms].map(([name, each]) => [name, chooseRange(each, method, percentile)]),
    );
    quantizeStatic(graph, ranges, perChannel);
  }
  return graph.encode();
}

function baked(model: Sequential): Uint8Array {
  const { graph, weights } = exportModel(model);
  return bake(graph, weights);
}
