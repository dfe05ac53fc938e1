/** Waits that double from `initialMs` up to `maxMs`, each shortened by up to half so that callers spread out. */
export interface BackoffOptions {
  initialMs: number;
  maxMs: number;
  /** In [0, 1); Math.random by default. */
  random?: () => number;
}

/** The wait before retry number `failures` (1 after the first failure), in milliseconds. */
export function backoffMs(failures: number, options: BackoffOptions): number {
  const { initialMs, maxMs, random = Math.random } = options;
  const fullMs = Math.min(maxMs, initialMs * 2 ** Math.min(failures - 1, 30));
  return Math.round(fullMs * (1 - random() / 2));
}
