import type { Optimizer } from './optimizer.ts';

/** The slot that holds the weights that a training began with. */
export const anchorSlot = 'anchor';

/** An optimizer whose objective has the term mu/2 |w - w0|² besides the loss, which keeps the weights near those that
 * the training began with: FedProx (Li et al., 2020, https://arxiv.org/abs/1812.06127). Its gradient mu (w - w0) joins
 * the loss's before clipping, so that it is exact with every optimizer; the loss that is told is without the term.
 * `compile()` and `resetOptimizer()` take the present weights as w0. */
export function proximal(optimizer: Optimizer, { mu }: { mu: number }): Optimizer {
  if (!(mu >= 0 && Number.isFinite(mu))) throw new RangeError(`proximal: mu must be 0 or above, got ${mu}`);
  return {
    ...optimizer,
    name: `proximal ${optimizer.name}`,
    slots: [...optimizer.slots, anchorSlot],
    proximal: { mu },
    update({ slots, ...update }) {
      const anchor = slots.at(-1)!;
      const next = optimizer.update({ ...update, slots: slots.slice(0, -1) });
      return { weights: next.weights, slots: [...next.slots, anchor] };
    },
  };
}
