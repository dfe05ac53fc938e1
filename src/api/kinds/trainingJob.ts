import { conditionOf } from '../conditions.ts';
import { humanDuration } from '../duration.ts';
import { immutable } from '../immutable.ts';
import { defineKind, kindSchema, type ObjectOf } from '../kind.ts';
import { dns1123Label } from '../names.ts';
import { federatedTrainingStatus } from '../parts/federatedTraining.ts';
import { isClassifying, modelsPrefix, type TrainingJobSpec, trainingJobSpec } from '../parts/trainingJob.ts';
import {
  boolean,
  integer,
  keyedList,
  map,
  number,
  object,
  oneOf,
  refine,
  required,
  string,
  type TypeOf,
  time,
} from '../schema.ts';
import { ageColumn, nameColumn } from '../table.ts';

export type { TrainingJobSpec } from '../parts/trainingJob.ts';

const component = 'dev.selvage.learning.v1alpha1.';

export const trainingProgress = object(
  `${component}TrainingProgress`,
  {
    epoch: integer({ doc: 'The epoch at hand, from 1.' }),
    epochs: integer({ doc: 'Epochs in all.' }),
    step: integer({ doc: 'Batches done, in all epochs.' }),
    steps: integer({ doc: 'Batches in all, where the data tell how many they are.' }),
    loss: number({ doc: 'Of the epoch at hand.' }),
    accuracy: number({ doc: 'Of the epoch at hand.' }),
    metrics: map(number(), { doc: 'All figures of the epoch at hand, with val_ those of the validation.' }),
    examplesPerSecond: number({ doc: 'Images or rows a second.' }),
    etaSeconds: integer({ doc: 'Seconds that the rest takes at this pace.' }),
    resumedFromStep: integer({ doc: 'The step of the checkpoint that this pod went on from.' }),
    updateTime: time({ doc: 'When this was said.' }),
  },
  { doc: 'How far the training is.' },
);
export type TrainingProgress = TypeOf<typeof trainingProgress>;

const trainingResult = object(
  `${component}TrainingResult`,
  {
    image: string({ doc: 'The trained model in the registry, by its digest.' }),
    metrics: map(number(), { doc: 'Loss and metrics on the test set.' }),
    examples: integer({ doc: 'Examples of the test set.' }),
    parameters: integer({ doc: 'Weights of the model.' }),
    serving: object(
      `${component}ServingModel`,
      {
        image: string({ doc: 'The model that was in service.' }),
        metrics: map(number(), { doc: 'What it reaches on the same test set.' }),
        problem: string({ doc: 'Why it could not be measured.' }),
      },
      { doc: 'What the InferenceService had, measured on the same examples.' },
    ),
  },
  { doc: 'What came of it.' },
);
export type TrainingResult = TypeOf<typeof trainingResult>;

const condition = object(`${component}TrainingJobCondition`, {
  lastTransitionTime: time({ doc: 'When its status changed last.' }),
  message: string({ doc: 'Why, for people.' }),
  reason: string({ doc: 'Why, in one word, for programs.' }),
  status: required(oneOf(['True', 'False', 'Unknown'], { doc: 'True, False or Unknown.' })),
  type: required(string({ doc: 'Complete, Failed, Suspended or Promoted.' })),
});
export type TrainingJobCondition = TypeOf<typeof condition>;

const trainingJobStatus = object(`${component}TrainingJobStatus`, {
  active: integer({ doc: 'Pods that are pending or running.' }),
  completionTime: time({ doc: 'When it completed.' }),
  conditions: keyedList(['type'], condition, { doc: 'What became of it.' }),
  failed: integer({ doc: 'Pods that have failed.' }),
  federated: federatedTrainingStatus,
  observedGeneration: integer({ doc: 'The generation that the controller has seen.' }),
  progress: trainingProgress,
  promoted: boolean({ doc: 'Whether its model has been put into service.' }),
  result: trainingResult,
  startTime: time({ doc: 'When it was started.' }),
});
export type TrainingJobStatus = TypeOf<typeof trainingJobStatus>;

const schema = kindSchema(
  `${component}TrainingJob`,
  { apiVersion: 'learning.selvage.dev/v1alpha1', kind: 'TrainingJob' },
  { spec: required(trainingJobSpec), status: refine(trainingJobStatus, { doc: 'How it goes.' }) },
  'TrainingJob trains a model on a node that has the data, and keeps it in the registry.',
);

export interface TrainingJob extends ObjectOf<typeof schema> {}

export const trainingJob = defineKind<TrainingJob>({
  group: 'learning.selvage.dev',
  version: 'v1alpha1',
  kind: 'TrainingJob',
  plural: 'trainingjobs',
  shortNames: ['tj'],
  namespaced: true,
  subresources: { status: true },
  schema,
  // Its Job and the volume of its checkpoints are named after it.
  nameRule: dns1123Label,
  check({ metadata, spec }, report, root) {
    const at = root.child('spec');
    const { namespace = 'default' } = metadata ?? {};
    if (spec?.output !== undefined && !belongsTo(namespace, spec.output)) {
      const detail = `must be models/${namespace}/<name>:<tag>: other places belong to other namespaces`;
      report.invalid(at.child('output'), spec.output, detail);
    }
    if (spec?.promote && spec.output === undefined) {
      report.required(at.child('output'), 'a model must be in the registry to be promoted');
    }
    if (spec?.promote?.metric === 'accuracy' && !isClassifying(spec.loss.name)) {
      const detail = `${spec.loss.name} learns values, which have no accuracy: name mae, mse or rootMeanSquaredError`;
      report.invalid(at.child('promote').child('metric'), 'accuracy', detail);
    }
  },
  checkUpdate(next, previous, report, root) {
    const at = root.child('spec');
    for (const field of new Set([...Object.keys(next.spec ?? {}), ...Object.keys(previous.spec ?? {})])) {
      if (changeable.includes(field)) continue;
      const key = field as keyof TrainingJobSpec;
      immutable(next.spec?.[key], previous.spec?.[key], at.child(field), report);
    }
  },
  columns: [
    nameColumn,
    { name: 'Status', doc: 'Whether it runs, and what became of it.', value: statusText },
    { name: 'Epoch', doc: 'The epoch at hand, of all.', value: epochText },
    { name: 'Loss', doc: 'Of the epoch at hand, or on the test set.', value: (job) => figure(job, 'loss') },
    {
      name: 'Accuracy',
      doc: 'Of the epoch at hand, or on the test set.',
      value: (job) => figure(job, 'accuracy'),
    },
    { name: 'Left', doc: 'How long the rest takes at this pace.', value: leftText },
    ageColumn,
    {
      name: 'Speed',
      doc: 'Examples a second.',
      priority: 1,
      value: ({ status }) => rounded(status?.progress?.examplesPerSecond),
    },
    {
      name: 'Promoted',
      doc: 'Whether the trained model has been put into service.',
      priority: 1,
      value: (job) => conditionOf(job, 'Promoted')?.status ?? '',
    },
    {
      name: 'Model',
      doc: 'The trained model in the registry.',
      priority: 1,
      value: ({ status }) => status?.result?.image ?? '',
    },
  ],
});

/** So that nobody overwrites another namespace's models: `models/<name>` is of `default`, `models/<namespace>/…` of that. */
function belongsTo(namespace: string, output: string): boolean {
  const [first, ...rest] = output.slice(modelsPrefix.length).split('/');
  // What does not begin so is refused already.
  if (!output.startsWith(modelsPrefix)) return true;
  return rest.length === 0 ? namespace === 'default' : first === namespace;
}

/** What may be said of a job after it was made; another training is another job. */
const changeable = ['activeDeadlineSeconds', 'backoffLimit', 'suspend', 'ttlSecondsAfterFinished'];

function statusText(job: TrainingJob): string {
  for (const type of ['Complete', 'Failed']) if (conditionOf(job, type)?.status === 'True') return type;
  if (job.metadata?.deletionTimestamp) return 'Terminating';
  if (conditionOf(job, 'Suspended')?.status === 'True') return 'Suspended';
  return job.status?.progress?.epoch === undefined ? 'Pending' : 'Running';
}

function epochText({ status }: TrainingJob): string {
  const { epoch, epochs } = status?.progress ?? {};
  return epoch === undefined ? '' : `${epoch}/${epochs}`;
}

function figure({ status }: TrainingJob, name: 'loss' | 'accuracy'): string {
  const value = status?.result?.metrics?.[name] ?? status?.progress?.[name];
  return value === undefined ? '' : value.toFixed(4);
}

function leftText(job: TrainingJob): string {
  const { etaSeconds } = job.status?.progress ?? {};
  const isRunning = statusText(job) === 'Running';
  return isRunning && etaSeconds !== undefined ? humanDuration(etaSeconds * 1000) : '';
}

const rounded = (value: number | undefined): string => (value === undefined ? '' : String(Math.round(value)));
