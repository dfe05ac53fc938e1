/** A dimension: a number, or a multiple of the batch size N, which is known only when the graph runs. */
export type Dim = number | 'N' | `${number}N`;
export type Shape = readonly Dim[];

/** Thrown while a graph or model is built: says which shape was met and which was needed. */
export class ShapeError extends Error {
  override name = 'ShapeError';
}

export function formatShape(shape: Shape): string {
  return `[${shape.join(', ')}]`;
}

/** The number of elements as `coefficient * N ** power`. */
export function sizeOf(shape: Shape): { coefficient: number; power: number } {
  let coefficient = 1;
  let power = 0;
  for (const dim of shape) {
    if (typeof dim === 'number') coefficient *= dim;
    else {
      coefficient *= dim === 'N' ? 1 : Number.parseInt(dim, 10);
      power += 1;
    }
  }
  return { coefficient, power };
}

/** The dimension that holds `coefficient * N ** power` elements. */
export function dimOf({ coefficient, power }: { coefficient: number; power: number }): Dim {
  if (power > 1) throw new ShapeError('A dimension cannot hold the batch size twice');
  if (power === 0) return coefficient;
  return coefficient === 1 ? 'N' : `${coefficient}N`;
}

/** The elements of a shape that has no batch dimension. */
export function staticSize(shape: Shape): number {
  const { coefficient, power } = sizeOf(shape);
  if (power > 0)
    throw new ShapeError(`${formatShape(shape)} has no fixed size: it holds the batch dimension`);
  return coefficient;
}

export function sameShape(left: Shape, right: Shape): boolean {
  return left.length === right.length && left.every((dim, axis) => dim === right[axis]);
}

/** The shape that two operands broadcast to, by numpy's rules. */
export function broadcast(left: Shape, right: Shape): Shape {
  const rank = Math.max(left.length, right.length);
  return Array.from({ length: rank }, (_, axis) => {
    const a = left[axis - rank + left.length] ?? 1;
    const b = right[axis - rank + right.length] ?? 1;
    if (a === b || b === 1) return a;
    if (a === 1) return b;
    throw new ShapeError(
      `${formatShape(left)} and ${formatShape(right)} do not broadcast: ${a} against ${b}`,
    );
  });
}
