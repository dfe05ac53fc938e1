import type { PriorityLevelConfiguration } from '../../api/kinds/priorityLevelConfiguration.ts';
import type { LevelLimits } from './priority-level.ts';

/** The seats of each level, by its name: its share of all, what it lends, and what it may borrow. */
export function limitsOf(
  configurations: readonly PriorityLevelConfiguration[],
  seatsTotal: number,
): Map<string, LevelLimits> {
  const shares = configurations.map((each) => sharesOf(each).nominalConcurrencyShares ?? 0);
  const sharesTotal = shares.reduce((sum, share) => sum + share, 0) || 1;
  return new Map(
    configurations.map((configuration, index) => {
      const { lendablePercent = 0 } = sharesOf(configuration);
      const { limited } = configuration.spec ?? {};
      const nominalSeats = Math.ceil((seatsTotal * shares[index]!) / sharesTotal);
      const borrowingPercent = limited?.borrowingLimitPercent;
      const { queues = 64, handSize = 8, queueLengthLimit = 50 } = limited?.limitResponse?.queuing ?? {};
      const limits: LevelLimits = {
        nominalSeats,
        lendableSeats: Math.round((nominalSeats * lendablePercent) / 100),
        borrowableSeats:
          borrowingPercent === undefined ? seatsTotal : Math.round((nominalSeats * borrowingPercent) / 100),
        queuing:
          limited?.limitResponse?.type === 'Queue' ? { queues, handSize, queueLengthLimit } : undefined,
      };
      return [configuration.metadata!.name!, limits];
    }),
  );
}

function sharesOf({ spec }: PriorityLevelConfiguration): {
  nominalConcurrencyShares?: number;
  lendablePercent?: number;
} {
  return spec?.limited ?? spec?.exempt ?? {};
}
