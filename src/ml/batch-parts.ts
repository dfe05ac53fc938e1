import type { Architecture } from './architecture.ts';
import { Graph, type Value } from './graph.ts';
import { type GraphContext, lower } from './lower.ts';
import { modelInputs } from './model-inputs.ts';
import * as onnx from './primitives.ts';

/** A training step of so many rows, worked on part after part. */
export interface BatchParts {
  rows: number;
  count: number;
}

/** What the layers keep of so many rows for their gradients fits a processor's cache. */
const rowsPerPart = 32;
/** Each part is a graph of its own. */
const partsMax = 8;

/** The parts in which a step of this many rows is faster; undefined where it isn't, or where the model looks at a batch
 * as a whole. The parts' sizes are equal. */
export function batchParts(model: Architecture, rows: number): BatchParts | undefined {
  let count = Math.min(partsMax, Math.floor(rows / rowsPerPart));
  while (count > 1 && rows % count !== 0) count -= 1;
  return count > 1 && !isBatchWise(model) ? { rows, count } : undefined;
}

/** Whether a training step takes more of a batch than its rows one by one: its statistics, or random numbers that are
 * drawn for it. */
function isBatchWise(model: Architecture): boolean {
  let isFound = false;
  const find = () => {
    isFound = true;
  };
  const context: GraphContext = {
    isTraining: true,
    seed: 0,
    random(like, _distribution, seed) {
      find();
      return onnx.randomUniformLike(like, seed);
    },
    assign: find,
    addLoss: find,
  };
  const { inputs, parametersOf } = modelInputs(new Graph(), model);
  lower(model, inputs, parametersOf, context);
  return isFound;
}

/** One part's rows of a value [N, ...]. */
export function partOf(x: Value, part: number, { rows, count }: BatchParts): Value {
  const size = rows / count;
  return onnx.relabel(onnx.slice(x, 0, part * size, (part + 1) * size), ['N', ...x.shape.slice(1)]);
}

/** The parts' values [N, ...] as one, [rows, ...]. */
export function joinParts(values: Value[], { rows, count }: BatchParts): Value {
  return onnx.concat(
    values.map((value) => onnx.relabel(value, [rows / count, ...value.shape.slice(1)])),
    0,
  );
}
