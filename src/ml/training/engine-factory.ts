import type { Engine } from './engine.ts';

export type EngineFactory = (options: { threads?: number | undefined }) => Engine;

let factory: EngineFactory | undefined;

/** Sets what models made from now on run on; `index.ts` sets worker threads with onnxruntime-node. */
export function setEngine(make: EngineFactory): void {
  factory = make;
}

export const createEngine: EngineFactory = (options) => {
  if (!factory) throw new Error('No engine is set: import selvage/ml, or call setEngine() with your runtime');
  return factory(options);
};
