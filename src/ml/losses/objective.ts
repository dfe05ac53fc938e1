import type { Architecture } from '../architecture.ts';
import { type Each, eachOf } from '../by-name.ts';
import { formatShape, ShapeError } from '../shape.ts';
import type { Loss } from './loss.ts';

/** One output's part of what a training makes smaller. */
export interface Term {
  loss: Loss;
  /** What it counts in the sum. */
  weight: number;
  /** The output's number, its name and how many numbers it has an example. */
  output: number;
  name: string;
  width: number;
}

/** One loss for every output, or one for each, in their order or by name; null for an output that is not trained. */
export type Losses = Loss | Each<Loss | null>;

/** The terms of a training: of several outputs the weighted sum is the loss.
 * @throws ShapeError where losses and outputs do not fit. */
export function objectiveOf(
  { outputs }: Pick<Architecture, 'outputs'>,
  losses: Losses,
  lossWeights?: Each<number>,
): Term[] {
  requireMade(losses);
  const names = outputs.map(({ name }) => name);
  const hint = ': give one for each of the outputs';
  const chosen = isLoss(losses)
    ? outputs.map(() => losses)
    : eachOf(names, losses, 'compile (loss)', `${hint}, null to leave it out`);
  const weights = lossWeights && eachOf(names, lossWeights, 'compile (lossWeights)', hint);
  const terms = outputs.flatMap(({ name, shape }, output): Term[] => {
    const loss = chosen[output];
    if (!loss) return [];
    if (shape.length !== 2) {
      const of = outputs.length > 1 ? ` of "${name}"` : '';
      throw new ShapeError(
        `${loss.name} needs outputs [N, classes], got ${formatShape(shape)}${of}: add flatten()`,
      );
    }
    const weight = weights?.[output] ?? 1;
    if (!Number.isFinite(weight))
      throw new RangeError(`compile: the weight of "${name}" must be a number, got ${weight}`);
    return [{ loss, weight, output, name, width: shape[1] as number }];
  });
  if (terms.length === 0) throw new ShapeError('compile: no output has a loss');
  return terms;
}

/** What users of Keras give at first: a name, or a loss that nobody called. */
function requireMade(losses: unknown): void {
  if (typeof losses === 'object' && losses !== null) {
    if (!isLoss(losses as Losses)) for (const each of Object.values(losses)) if (each) requireMade(each);
    return;
  }
  const given = typeof losses === 'function' ? 'a function: call it' : String(losses);
  throw new TypeError(`compile: the loss is ${given}; give one that was made, as meanSquaredError()`);
}

const isLoss = (losses: Losses): losses is Loss => typeof (losses as Loss).build === 'function';

/** How many numbers of an example's row of packed targets are this term's. */
export const targetWidth = ({ loss, width }: Term): number => (loss.targets === 'classes' ? 1 : width);

/** Where the parts of a row begin. */
export function startsOf(widths: readonly number[]): number[] {
  let end = 0;
  return widths.map((width) => {
    end += width;
    return end - width;
  });
}
