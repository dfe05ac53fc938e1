import type { Tensor } from './tensor.ts';

/** A loaded ONNX model. */
export interface Session {
  run(feeds: Record<string, Tensor>): Promise<Record<string, Tensor>>;
  release(): Promise<void>;
}

/** What runs ONNX models: onnxruntime-node here, onnxruntime-web in a browser. */
export interface Runtime {
  /** `threads` fixes the number of threads of one operator, and with it the rounding. */
  open(model: Uint8Array, options: { threads?: number | undefined }): Promise<Session>;
}
