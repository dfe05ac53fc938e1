import type { FederatedSpec } from '../../api/parts/federatedTraining.ts';

/** How a federated training goes; `TrainingJob`'s `spec.federated` with its times in milliseconds. */
export interface FederatedSettings {
  rounds: number;
  /** Clients that the job has. */
  clientsExpected: number;
  /** How many of them a round asks; all that are there if undefined. */
  clientsPerRound: number | undefined;
  /** Updates that make a round; all that were asked for if undefined. */
  quorum: number | undefined;
  deadlineMs: number;
  /** How many rounds late an update may come and still count. */
  staleness: number;
  clipNorm: number | undefined;
  /** Above 0 the rounds are private. */
  noiseMultiplier: number;
  delta: number;
  seed: number;
}

export const isPrivate = ({ noiseMultiplier }: FederatedSettings): boolean => noiseMultiplier > 0;

/** The chance with which a private round asks each client. */
export const samplingRateOf = ({ clientsPerRound, clientsExpected }: FederatedSettings): number =>
  clientsPerRound === undefined ? 1 : Math.min(1, clientsPerRound / clientsExpected);

/** What the specification says, or its defaults, of a job with so many clients. */
export function settingsOf(
  federated: FederatedSpec,
  { clientsExpected, seed }: Pick<FederatedSettings, 'clientsExpected' | 'seed'>,
): FederatedSettings {
  const { rounds, clients, quorum, deadlineSeconds = 600, staleness = 0, clipNorm } = federated;
  return {
    rounds,
    clientsExpected,
    clientsPerRound: clients,
    quorum,
    deadlineMs: deadlineSeconds * 1000,
    staleness,
    clipNorm,
    noiseMultiplier: federated.noiseMultiplier ?? 0,
    delta: federated.delta ?? 1e-5,
    seed,
  };
}
