import { integer, number, object, oneOf, refine, required, type TypeOf } from '../schema.ts';

const component = 'dev.selvage.learning.v1alpha1.';
const positive = { min: 0 };

const partition = object(`${component}Partition`, {
  concentration: number({
    doc: "The Dirichlet distribution's: 0.5 is uneven, 100 nearly even; shares are even if absent.",
    min: 0.001,
  }),
});

export const federatedTraining = object(
  `${component}Federated`,
  {
    algorithm: oneOf(['FedAvg', 'FedProx'], { doc: 'How updates are made and joined.', default: 'FedAvg' }),
    clients: integer({
      doc: 'How many nodes take part in a round; all that match if absent.',
      min: 1,
      max: 1000,
    }),
    clipNorm: number({ doc: 'The most that an update may measure (L2); no bound if absent.', ...positive }),
    deadlineSeconds: integer({ doc: 'How long a round waits for updates.', default: 600, min: 1 }),
    delta: number({
      doc: 'The delta of differential privacy that epsilon is stated for.',
      ...positive,
      max: 1,
    }),
    encoding: oneOf(['float32', 'int8'], {
      doc: 'How updates travel: int8 takes a quarter of the bytes and rounds.',
      default: 'float32',
    }),
    mu: number({ doc: "The weight of FedProx' proximal term.", ...positive }),
    noiseMultiplier: number({ doc: 'Deviation of the noise, in units of clipNorm.', ...positive }),
    partition: refine(partition, {
      doc: 'For experiments in which all nodes see one data set: deals its training examples out to the clients.',
    }),
    quorum: integer({ doc: 'How many updates make a round; all of them if absent.', min: 1, max: 1000 }),
    rounds: required(integer({ doc: 'How often the updates are joined.', min: 1, max: 100_000 })),
    staleness: integer({
      doc: 'How many rounds late an update may come and still count.',
      default: 0,
      min: 0,
    }),
  },
  {
    doc: 'Training on several nodes whose data stay where they are.',
    check({ algorithm, clients, quorum, noiseMultiplier, clipNorm, delta, mu, staleness }, at, report) {
      if (quorum && clients && quorum > clients) {
        report.invalid(at.child('quorum'), quorum, 'must not be more than clients');
      }
      if (noiseMultiplier && !clipNorm) {
        report.required(at.child('clipNorm'), 'noise means nothing without a bound of what it hides');
      }
      if (noiseMultiplier && staleness) {
        report.invalid(
          at.child('staleness'),
          staleness,
          'must be 0 with noise: a late update has no part in it',
        );
      }
      if (delta !== undefined && !(delta > 0 && delta < 1)) {
        report.invalid(at.child('delta'), delta, 'must be between 0 and 1');
      }
      if (clipNorm === 0) report.invalid(at.child('clipNorm'), clipNorm, 'must be greater than 0');
      if (algorithm === 'FedProx' && mu === undefined) {
        report.required(at.child('mu'), "FedProx' proximal term has a weight");
      }
      if (algorithm !== 'FedProx' && mu !== undefined) {
        report.forbidden(at.child('mu'), 'may not be set without algorithm FedProx');
      }
    },
  },
);
export type FederatedSpec = TypeOf<typeof federatedTraining>;

export const federatedTrainingStatus = object(
  `${component}FederatedStatus`,
  {
    round: integer({ doc: 'The round at hand, from 1.' }),
    rounds: integer({ doc: 'Rounds in all.' }),
    participants: integer({ doc: 'Updates that the last round took in.' }),
    dropped: integer({ doc: 'Clients of the last round that sent none in time.' }),
    late: integer({ doc: 'Updates of earlier rounds that the last round took in.' }),
    refused: integer({ doc: 'Updates that were refused so far.' }),
    accuracy: number({ doc: 'Of the joined model on the test set.' }),
    epsilon: number({ doc: 'What is spent of the privacy budget, for delta.' }),
    delta: number({ doc: 'The delta that epsilon holds for.' }),
  },
  { doc: 'How far the rounds are.' },
);
export type FederatedTrainingStatus = TypeOf<typeof federatedTrainingStatus>;
