/** Keras' learning-rate schedules (https://keras.io/api/optimizers/learning_rate_schedules/) as plain data, so that
 * they can travel to the thread that trains. */
export type Schedule =
  | { kind: 'exponentialDecay'; initial: number; decaySteps: number; decayRate: number; staircase: boolean }
  | { kind: 'inverseTimeDecay'; initial: number; decaySteps: number; decayRate: number; staircase: boolean }
  | { kind: 'piecewiseConstantDecay'; boundaries: number[]; values: number[] }
  | {
      kind: 'polynomialDecay';
      initial: number;
      decaySteps: number;
      end: number;
      power: number;
      cycle: boolean;
    }
  | {
      kind: 'cosineDecay';
      initial: number;
      decaySteps: number;
      alpha: number;
      warmupTarget: number | undefined;
      warmupSteps: number;
    }
  | {
      kind: 'cosineDecayRestarts';
      initial: number;
      firstDecaySteps: number;
      tMul: number;
      mMul: number;
      alpha: number;
    };

/** The rate at a step; steps count from 0 over all epochs. */
export function learningRateAt(rate: number | Schedule, step: number): number {
  if (typeof rate === 'number') return rate;
  switch (rate.kind) {
    case 'exponentialDecay':
      return rate.initial * rate.decayRate ** progress(rate, step);
    case 'inverseTimeDecay':
      return rate.initial / (1 + rate.decayRate * progress(rate, step));
    case 'piecewiseConstantDecay': {
      const at = rate.boundaries.findIndex((boundary) => step <= boundary);
      return rate.values.at(at)!;
    }
    case 'polynomialDecay':
      return polynomial(rate, step);
    case 'cosineDecay':
      return cosine(rate, step);
    case 'cosineDecayRestarts':
      return cosineRestarts(rate, step);
  }
}

function progress(
  { decaySteps, staircase }: { decaySteps: number; staircase: boolean },
  step: number,
): number {
  return staircase ? Math.floor(step / decaySteps) : step / decaySteps;
}

function polynomial(
  { initial, end, power, cycle, decaySteps }: Schedule & { kind: 'polynomialDecay' },
  step: number,
): number {
  const span = cycle ? decaySteps * Math.max(1, Math.ceil(step / decaySteps)) : decaySteps;
  return (initial - end) * (1 - Math.min(step, span) / span) ** power + end;
}

function cosine(
  { initial, decaySteps, alpha, warmupTarget, warmupSteps }: Schedule & { kind: 'cosineDecay' },
  step: number,
): number {
  const decayed = (from: number, done: number) =>
    from * ((1 - alpha) * 0.5 * (1 + Math.cos(Math.PI * Math.min(1, done))) + alpha);
  if (warmupTarget === undefined) return decayed(initial, step / decaySteps);
  if (step < warmupSteps) return initial + (warmupTarget - initial) * (step / warmupSteps);
  return decayed(warmupTarget, (step - warmupSteps) / decaySteps);
}

function cosineRestarts(
  { initial, firstDecaySteps, tMul, mMul, alpha }: Schedule & { kind: 'cosineDecayRestarts' },
  step: number,
): number {
  const completed = step / firstDecaySteps;
  let restart = Math.floor(completed);
  let fraction = completed - restart;
  if (tMul !== 1) {
    // The rounding of the logarithm must not put the first step of a period at the end of the one before.
    restart = Math.floor(Math.log(1 - completed * (1 - tMul)) / Math.log(tMul) + 1e-9);
    fraction = (completed - (1 - tMul ** restart) / (1 - tMul)) / tMul ** restart;
  }
  const decayed = 0.5 * mMul ** restart * (1 + Math.cos(Math.PI * fraction));
  return initial * ((1 - alpha) * decayed + alpha);
}

interface DecayOptions {
  /** Whether the rate falls in steps rather than smoothly. */
  staircase?: boolean;
}

/** initial · decayRate ^ (step / decaySteps) */
export function exponentialDecay(
  initial: number,
  decaySteps: number,
  decayRate: number,
  { staircase = false }: DecayOptions = {},
): Schedule {
  requirePositive('exponentialDecay', { decaySteps });
  return { kind: 'exponentialDecay', initial, decaySteps, decayRate, staircase };
}

/** initial / (1 + decayRate · step / decaySteps) */
export function inverseTimeDecay(
  initial: number,
  decaySteps: number,
  decayRate: number,
  { staircase = false }: DecayOptions = {},
): Schedule {
  requirePositive('inverseTimeDecay', { decaySteps });
  return { kind: 'inverseTimeDecay', initial, decaySteps, decayRate, staircase };
}

/** values[i] up to and with step boundaries[i], the last value after them. */
export function piecewiseConstantDecay(boundaries: number[], values: number[]): Schedule {
  if (boundaries.length === 0 || values.length !== boundaries.length + 1) {
    throw new RangeError(
      `piecewiseConstantDecay needs one value more than boundaries, got ${boundaries.length} boundaries and ${values.length} values`,
    );
  }
  return { kind: 'piecewiseConstantDecay', boundaries, values };
}

/** From `initial` to `endLearningRate` within `decaySteps`, along a power of what is left. */
export function polynomialDecay(
  initial: number,
  decaySteps: number,
  {
    endLearningRate = 1e-4,
    power = 1,
    cycle = false,
  }: { endLearningRate?: number; power?: number; cycle?: boolean } = {},
): Schedule {
  requirePositive('polynomialDecay', { decaySteps });
  return { kind: 'polynomialDecay', initial, decaySteps, end: endLearningRate, power, cycle };
}

/** Half a cosine from `initial` to `alpha` of it; with a warm-up, first a line to `warmupTarget`
 * (Loshchilov and Hutter, 2016). */
export function cosineDecay(
  initial: number,
  decaySteps: number,
  {
    alpha = 0,
    warmupTarget,
    warmupSteps = 0,
  }: { alpha?: number; warmupTarget?: number; warmupSteps?: number } = {},
): Schedule {
  requirePositive('cosineDecay', { decaySteps });
  return { kind: 'cosineDecay', initial, decaySteps, alpha, warmupTarget, warmupSteps };
}

/** Cosine decays one after the other, each `tMul` times as long and starting `mMul` times as high. */
export function cosineDecayRestarts(
  initial: number,
  firstDecaySteps: number,
  { tMul = 2, mMul = 1, alpha = 0 }: { tMul?: number; mMul?: number; alpha?: number } = {},
): Schedule {
  requirePositive('cosineDecayRestarts', { firstDecaySteps, tMul });
  return { kind: 'cosineDecayRestarts', initial, firstDecaySteps, tMul, mMul, alpha };
}

function requirePositive(schedule: string, numbers: Record<string, number>): void {
  for (const [name, value] of Object.entries(numbers)) {
    if (!(value > 0)) throw new RangeError(`${schedule}: ${name} must be above 0, got ${value}`);
  }
}
