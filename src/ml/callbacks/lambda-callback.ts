import type { Callback } from './callback.ts';

/** A callback of single functions, as Keras' LambdaCallback. */
export const lambdaCallback = (functions: Omit<Callback, 'save' | 'restore'>): Callback => ({ ...functions });
