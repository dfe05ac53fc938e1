import { differentiable } from '../autodiff.ts';
import type { Value } from '../graph.ts';
import * as onnx from '../primitives.ts';

/** Rows of the table [V, D] for indices [N, ...]: [N, ..., D]. Only the rows that were used get a gradient. */
export function embedding(indices: Value, table: Value): Value {
  const integers = onnx.cast(indices, 'int64');
  return differentiable([table], onnx.gatherRows(table, integers), (dy) => {
    const { graph } = table;
    const rows = onnx.toRows(dy);
    const [, width] = rows.shape as [unknown, number];
    const column = onnx.reshape(integers, [rows.shape[0]!, 1]);
    const places = onnx.add(column, graph.integers(new Array<number>(width).fill(0), [1, width]));
    const zeros = onnx.sub(table, table);
    return [onnx.scatterAddRows(zeros, places, rows)];
  });
}
