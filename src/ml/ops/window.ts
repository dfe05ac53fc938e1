/** How a window slides over [height, width]; sizes are in pixels. */
export interface Window {
  height: number;
  width: number;
  kernel: readonly [number, number];
  strides: readonly [number, number];
  dilation: readonly [number, number];
  padding: 'valid' | 'same';
}

/** Where the window's cells fall. `inputIndex` and `outputColumn` give -1 outside. */
export interface Sliding {
  outHeight: number;
  outWidth: number;
  padTop: number;
  padLeft: number;
  padBottom: number;
  padRight: number;
  /** The pixel (row * width + column) under cell (i, j) of the window of output (row, column). */
  inputIndex(outRow: number, outColumn: number, i: number, j: number): number;
}

/** The geometry of Keras' 'valid' and 'same': https://keras.io/api/layers/convolution_layers/convolution2d/ */
export function slide({ height, width, kernel, strides, dilation, padding }: Window): Sliding {
  const vertical = along(height, kernel[0], strides[0], dilation[0], padding);
  const horizontal = along(width, kernel[1], strides[1], dilation[1], padding);
  return {
    outHeight: vertical.out,
    outWidth: horizontal.out,
    padTop: vertical.before,
    padLeft: horizontal.before,
    padBottom: vertical.after,
    padRight: horizontal.after,
    inputIndex(outRow, outColumn, i, j) {
      const row = outRow * strides[0] - vertical.before + i * dilation[0];
      const column = outColumn * strides[1] - horizontal.before + j * dilation[1];
      return row < 0 || row >= height || column < 0 || column >= width ? -1 : row * width + column;
    },
  };
}

function along(size: number, kernel: number, stride: number, dilation: number, padding: 'valid' | 'same') {
  const reach = (kernel - 1) * dilation + 1;
  if (padding === 'valid') return { out: Math.floor((size - reach) / stride) + 1, before: 0, after: 0 };
  const out = Math.ceil(size / stride);
  const total = Math.max((out - 1) * stride + reach - size, 0);
  return { out, before: Math.floor(total / 2), after: Math.ceil(total / 2) };
}

/** The position (row, column) -> index in which an operator keeps its outputs. */
export type Layout = (row: number, column: number) => number;

/** A table made by calling `entry` for every index combination, the last varying fastest. */
export function table(extents: readonly number[], entry: (...index: number[]) => number): number[] {
  const entries: number[] = [];
  const index = extents.map(() => 0);
  const fill = (axis: number): void => {
    if (axis === extents.length) {
      entries.push(entry(...index));
      return;
    }
    for (index[axis] = 0; index[axis] < extents[axis]!; index[axis] += 1) fill(axis + 1);
  };
  fill(0);
  return entries;
}
