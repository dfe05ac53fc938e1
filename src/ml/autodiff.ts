import type { Operation, Value } from './graph.ts';
import * as onnx from './primitives.ts';

/** Records how gradients pass back through `output`, and returns it. The pullback maps the gradient of the
 * output to those of the inputs, in order; undefined says that an input has none. */
export function differentiable(
  inputs: Value[],
  output: Value,
  pullback: (gradient: Value) => (Value | undefined)[],
): Value {
  output.graph.tape.push({ inputs, output, pullback });
  return output;
}

/** The gradients of a scalar with respect to `variables`, by reverse accumulation (Griewank and Walther,
 * "Evaluating Derivatives", 2008). Only the operations between them are differentiated.
 * @throws Error where the scalar does not depend on one. */
export function gradients(scalar: Value, variables: Value[]): Value[] {
  return gradientsWhereAny(scalar, variables).map((gradient, index) => {
    if (gradient) return gradient;
    throw new Error(`${scalar.name} does not depend on ${variables[index]!.name}`);
  });
}

/** The same, undefined for what the scalar does not depend on. */
export const gradientsWhereAny = (scalar: Value, variables: Value[]): (Value | undefined)[] =>
  pullBack([[scalar, scalar.graph.constant(1)]], variables);

/** The gradients with respect to `variables`, of any graph, from those of values of one graph. */
export function pullBack(
  from: readonly (readonly [value: Value, gradient: Value])[],
  variables: Value[],
): (Value | undefined)[] {
  const { graph } = from[0]![0];
  const active = dependents(graph.tape, variables);
  const contributions = new Map<Value, Value[]>();
  for (const [value, gradient] of from)
    contributions.set(value, [...(contributions.get(value) ?? []), gradient]);
  const gradientOf = (value: Value): Value | undefined => {
    const parts = contributions.get(value);
    return parts && (joinSlices(parts) ?? onnx.sum(parts));
  };
  for (const operation of graph.tape.toReversed()) {
    if (!active.has(operation.output)) continue;
    const gradient = gradientOf(operation.output);
    if (!gradient) continue;
    const passed = operation.pullback(gradient);
    operation.inputs.forEach((input, index) => {
      if (!active.has(input)) return;
      const part = passed[index];
      if (!part)
        throw new Error(`No gradient is defined for ${input.name}, an input of ${operation.output.name}`);
      contributions.set(input, [...(contributions.get(input) ?? []), part]);
    });
  }
  return variables.map(gradientOf);
}

/** Gradients of slices come padded with zeros. Where they lie side by side and fill the axis they are laid end to end,
 * since adding them up would touch every element once for each slice. */
function joinSlices(parts: Value[]): Value | undefined {
  if (parts.length === 1) return undefined;
  const slices = parts.map(onnx.padded);
  if (!slices.every((slice) => slice !== undefined)) return undefined;
  const { axis } = slices[0]!;
  const sorted = slices.toSorted((a, b) => a.before - b.before);
  let end = 0;
  for (const slice of sorted) {
    if (slice.axis !== axis || slice.before !== end) return undefined;
    end += slice.content.shape[axis] as number;
  }
  if (end !== parts[0]!.shape[axis]) return undefined;
  return onnx.concat(
    sorted.map((slice) => slice.content),
    axis,
  );
}

/** The values that change with any of `variables`, themselves included. */
function dependents(tape: Operation[], variables: Value[]): Set<Value> {
  const active = new Set(variables);
  for (const { inputs, output } of tape) {
    if (inputs.some((input) => active.has(input))) active.add(output);
  }
  return active;
}
