import { differentiable } from '../autodiff.ts';
import type { Value } from '../graph.ts';
import * as onnx from '../primitives.ts';

/** Values one after the other along an axis. */
export function concatenate(values: Value[], axis: number): Value {
  return differentiable(values, onnx.concat(values, axis), (dy) => {
    let end = 0;
    return values.map((value) => {
      const start = end;
      end += value.shape[axis] as number;
      return onnx.slice(dy, axis, start, end);
    });
  });
}

/** T values [N, ...] as one [N, T, ...]. */
export function stack(values: Value[]): Value {
  const [batch, ...rest] = values[0]!.shape;
  const each = values.map((value) => onnx.reshape(value, [batch!, 1, ...rest]));
  return differentiable(values, onnx.concat(each, 1), (dy) =>
    values.map((value, step) => onnx.reshape(onnx.slice(dy, 1, step, step + 1), value.shape)),
  );
}

/** x [N, T, ...] as T values [N, ...]. */
export function unstack(x: Value): Value[] {
  const shape = [x.shape[0]!, ...x.shape.slice(2)];
  return Array.from({ length: x.shape[1] as number }, (_, step) => {
    const each = onnx.slice(x, 1, step, step + 1);
    return differentiable([x], onnx.reshape(each, shape), (dy) => [
      onnx.pad(onnx.reshape(dy, each.shape), 1, step, (x.shape[1] as number) - step - 1),
    ]);
  });
}
