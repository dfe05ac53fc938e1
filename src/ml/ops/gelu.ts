import { differentiable } from '../autodiff.ts';
import type { Value } from '../graph.ts';
import * as onnx from '../primitives.ts';

/** x times the normal distribution's share below x (Hendrycks and Gimpel, 2016). */
export function gelu(x: Value): Value {
  const { graph } = x;
  const share = normalShare(x);
  return differentiable([x], onnx.mul(x, share), (dy) => {
    const bell = onnx.exp(onnx.mul(onnx.mul(x, x), graph.constant(-0.5)));
    const density = onnx.mul(bell, graph.constant(1 / Math.sqrt(2 * Math.PI)));
    return [onnx.mul(dy, onnx.add(share, onnx.mul(x, density)))];
  });
}

/** The same with a tanh in the place of the error function: faster, off by 5e-4 at most. */
export function geluApproximate(x: Value): Value {
  const { graph } = x;
  const [one, half] = [graph.constant(1), graph.constant(0.5)];
  const factor = Math.sqrt(2 / Math.PI);
  const squared = onnx.mul(x, x);
  const cubic = onnx.add(onnx.mul(squared, graph.constant(0.044715)), one);
  const t = onnx.tanh(onnx.mul(onnx.mul(x, cubic), graph.constant(factor)));
  const share = onnx.mul(onnx.add(t, one), half);
  return differentiable([x], onnx.mul(x, share), (dy) => {
    const slope = onnx.mul(
      onnx.add(onnx.mul(squared, graph.constant(3 * 0.044715)), one),
      graph.constant(factor / 2),
    );
    const bend = onnx.mul(onnx.sub(one, onnx.mul(t, t)), slope);
    return [onnx.mul(dy, onnx.add(share, onnx.mul(x, bend)))];
  });
}

/** (1 + erf(x / sqrt 2)) / 2 */
function normalShare(x: Value): Value {
  const { graph } = x;
  const erf = onnx.erf(onnx.mul(x, graph.constant(Math.SQRT1_2)));
  return onnx.mul(onnx.add(erf, graph.constant(1)), graph.constant(0.5));
}
