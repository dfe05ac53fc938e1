import type { Activation } from './activation.ts';
import { glorotUniform, zeros } from './initializers.ts';
import type { Initializer, LayerOptions, Parameter, Regularizer } from './layer.ts';

/** What the layers with a kernel and a bias have in common, with Keras' defaults. */
export interface KernelOptions extends LayerOptions {
  activation?: Activation;
  useBias?: boolean;
  kernelInitializer?: Initializer;
  biasInitializer?: Initializer;
  /** Added to the loss. */
  kernelRegularizer?: Regularizer;
  biasRegularizer?: Regularizer;
  activityRegularizer?: Regularizer;
}

export function kernelAndBias(shape: number[], units: number, options: KernelOptions): Parameter[] {
  const { useBias = true, kernelInitializer = glorotUniform } = options;
  const kernel = {
    name: 'kernel',
    shape,
    initializer: kernelInitializer,
    regularizer: options.kernelRegularizer,
  };
  return useBias ? [kernel, biasOf(units, options)] : [kernel];
}

export const biasOf = (units: number, options: KernelOptions): Parameter => ({
  name: 'bias',
  shape: [units],
  initializer: options.biasInitializer ?? zeros,
  regularizer: options.biasRegularizer,
});
