import type { Value } from '../graph.ts';
import { multiply } from './arithmetic.ts';
import { pick } from './pick.ts';
import { reduceSum } from './reduce.ts';
import { reshape } from './reshape.ts';
import { slide, table, type Window } from './window.ts';

/** Convolution of each channel of x [N, H, W, C] on its own, with kernel [kH, kW, C, M]: [N, H', W', C * M]. */
export function depthwiseConv2d(x: Value, kernel: Value, window: Window): Value {
  const { outHeight, outWidth, inputIndex } = slide(window);
  const [batch, height, width] = x.shape;
  const [kernelHeight, kernelWidth, channels, multiplier] = kernel.shape as number[];
  const [size, cells] = [outHeight * outWidth, kernelHeight! * kernelWidth!];
  const pixels = reshape(x, [batch!, (height as number) * (width as number), channels!]);
  const positions = table([outHeight, outWidth, kernelHeight!, kernelWidth!], inputIndex);
  const patches = pick(pixels, positions, [size, cells]);
  const outputs = [batch!, outHeight, outWidth, channels! * multiplier!];
  if (multiplier === 1) {
    const weighed = multiply(patches, reshape(kernel, [cells, channels!]));
    return reshape(reduceSum(weighed, 2), outputs);
  }
  const weighed = multiply(
    reshape(patches, [batch!, size, cells, channels!, 1]),
    reshape(kernel, [cells, channels!, multiplier!]),
  );
  return reshape(reduceSum(weighed, 2), outputs);
}
