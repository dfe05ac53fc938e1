/** What is done to an input before the graph: from an encoded image to the model's tensor. */
export type PreprocessStep =
  /** JPEG or PNG to RGB pixels (or grey ones, where the model has one channel), uint8. */
  | { op: 'decode' }
  /** Bilinear; `antialias` widens the filter when shrinking, as PIL does; without it as `tf.image.resize`. */
  | { op: 'resize'; height: number; width: number; antialias?: boolean }
  /** `value * by + offset`. */
  | { op: 'scale'; by: number; offset?: number }
  /** `(value - mean) / std`, each by channel. */
  | { op: 'normalize'; mean: number[]; std: number[] }
  /** Channels first, for models of PyTorch's kind. */
  | { op: 'transpose'; to: 'NCHW' };

/** What is done to the graph's first output, over its last axis. */
export type PostprocessStep =
  | { op: 'softmax' }
  /** The k highest values as `scores` and their indices as `classes`. */
  | { op: 'topK'; k: number }
  /** The names of `classes`, as `labels`. */
  | { op: 'labels' };

const imageOps = ['decode', 'resize', 'scale', 'normalize', 'transpose'];
const outputOps = ['softmax', 'topK', 'labels'];
export const sideMax = 8192;

/** Checks steps as they stand in a `config.json`.
 * @throws Error that names the step and what it must be. */
export function checkPreprocess(steps: unknown): PreprocessStep[] {
  return checkAll(steps, 'preprocess', imageOps, (step, fail) => {
    if (step.op === 'resize') {
      for (const side of ['height', 'width'] as const)
        if (!isCount(step[side], sideMax)) fail(`${side} must be an integer from 1 to ${sideMax}`);
      if (step.antialias !== undefined && typeof step.antialias !== 'boolean')
        fail('antialias must be true or false');
    }
    if (step.op === 'scale' && !(isNumber(step.by) && (step.offset === undefined || isNumber(step.offset))))
      fail('by, and offset if there is one, must be numbers');
    if (step.op === 'normalize') {
      const { mean, std } = step;
      const isList = (list: unknown) => Array.isArray(list) && list.length > 0 && list.every(isNumber);
      if (!isList(mean) || !isList(std) || (mean as []).length !== (std as []).length)
        fail('mean and std must be lists of one number for each channel');
      if ((std as number[]).includes(0)) fail('std must not have 0');
    }
    if (step.op === 'transpose' && step.to !== 'NCHW') fail('to must be "NCHW"');
  }) as PreprocessStep[];
}

/** @throws Error that names the step and what it must be. */
export function checkPostprocess(steps: unknown): PostprocessStep[] {
  const checked = checkAll(steps, 'postprocess', outputOps, (step, fail) => {
    if (step.op === 'topK' && !isCount(step.k, 1000)) fail('k must be an integer from 1 to 1000');
  }) as PostprocessStep[];
  const order = checked.map(({ op }) => outputOps.indexOf(op));
  if (order.some((place, i) => i > 0 && place <= order[i - 1]!))
    throw new Error('postprocess: the order is softmax, topK, labels, each at most once');
  return checked;
}

function checkAll(
  steps: unknown,
  where: string,
  ops: string[],
  check: (step: Record<string, unknown>, fail: (message: string) => never) => void,
): Record<string, unknown>[] {
  if (steps === undefined) return [];
  if (!Array.isArray(steps)) throw new Error(`${where}: must be a list of steps`);
  return steps.map((step: Record<string, unknown> | null, i) => {
    const fail = (message: string): never => {
      throw new Error(`${where}[${i}]: ${message}`);
    };
    if (!ops.includes(step?.op as string))
      return fail(`op must be one of ${ops.join(', ')}, got ${JSON.stringify(step?.op)}`);
    check(step!, fail);
    if (step!.op === 'decode' && i > 0) fail('decode can only be the first step');
    return step!;
  });
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

function isCount(value: unknown, highest: number): boolean {
  return Number.isInteger(value) && (value as number) >= 1 && (value as number) <= highest;
}
