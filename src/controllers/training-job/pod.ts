import type { Job } from '../../api/kinds/job.ts';
import type { PersistentVolumeClaim } from '../../api/kinds/persistentVolumeClaim.ts';
import { type TrainingJob, trainingJob as trainingJobKind } from '../../api/kinds/trainingJob.ts';
import {
  checkpointsFolder,
  dataFolder,
  hopelessExitCode,
  jobVariable,
  moduleFolder,
  trainerContainer,
  trainerImage,
  workFolder,
} from '../../learning/trainer/places.ts';
import { controllerReference } from '../owner.ts';

export const trainingJobLabel = 'learning.selvage.dev/trainingjob';

type PodTemplate = NonNullable<Job['spec']>['template'];
type Volume = NonNullable<NonNullable<PodTemplate['spec']>['volumes']>[number];

/** The Job whose one pod trains: what becomes of pods that fail is the Job's business. */
export function jobFor(training: TrainingJob): Job {
  const { activeDeadlineSeconds, backoffLimit, suspend } = training.spec;
  return {
    metadata: metadataFor(training, nameOf(training)),
    spec: {
      ...(activeDeadlineSeconds !== undefined && { activeDeadlineSeconds }),
      backoffLimit: backoffLimit ?? 6,
      suspend: suspend ?? false,
      podFailurePolicy: {
        rules: [
          // Moved away from a node: that is nobody's failure.
          { action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] },
          {
            action: 'FailJob',
            onExitCodes: { containerName: trainerContainer, operator: 'In', values: [hopelessExitCode] },
          },
        ],
      },
      // Two that train at once would write one folder of checkpoints.
      podReplacementPolicy: 'Failed',
      template: templateFor(training),
    },
  };
}

function templateFor(training: TrainingJob): PodTemplate {
  const { namespace = '', name = '', uid = '' } = training.metadata ?? {};
  const { spec } = training;
  const { nodeSelector, tolerations, resources } = spec;
  const volumes: Volume[] = [
    { name: 'checkpoints', persistentVolumeClaim: { claimName: claimNameFor(training) } },
    { name: 'work', emptyDir: {} },
  ];
  const mounts = [
    { name: 'checkpoints', mountPath: checkpointsFolder },
    { name: 'work', mountPath: workFolder },
  ];
  const { volume } = spec.dataset;
  if (volume && Object.keys(volume).length > 0) {
    volumes.push({ ...volume, name: 'data' });
    mounts.push({ name: 'data', mountPath: dataFolder });
  }
  if (spec.model.module) {
    volumes.push({ name: 'module', image: { reference: spec.model.module.image } });
    mounts.push({ name: 'module', mountPath: moduleFolder });
  }
  return {
    metadata: { labels: { [trainingJobLabel]: name } },
    spec: {
      restartPolicy: 'Never',
      ...(nodeSelector && { nodeSelector }),
      ...(tolerations && { tolerations }),
      containers: [
        {
          name: trainerContainer,
          image: trainerImage,
          env: [
            {
              name: jobVariable,
              value: escaped(JSON.stringify({ namespace, name, uid, spec: told(training) })),
            },
          ],
          ...(resources && { resources }),
          volumeMounts: mounts,
        },
      ],
      volumes,
    },
  };
}

/** What may still be changed is none of the trainer's business: its pod stays as it is. */
function told({ spec }: TrainingJob): object {
  const {
    suspend: _s,
    backoffLimit: _b,
    activeDeadlineSeconds: _a,
    ttlSecondsAfterFinished: _t,
    ...rest
  } = spec;
  return rest;
}

/** In an environment variable `$(…)` would be expanded. */
const escaped = (text: string): string => text.replaceAll('$', '$$$$');

/** Where the checkpoints are kept, if the job has not named a claim of its own. */
export function claimFor(training: TrainingJob): PersistentVolumeClaim | undefined {
  const { claimName, storage = '1Gi', storageClassName } = training.spec.checkpoint ?? {};
  if (claimName !== undefined) return undefined;
  return {
    metadata: metadataFor(training, claimNameFor(training)),
    spec: {
      accessModes: ['ReadWriteOnce'],
      resources: { requests: { storage } },
      ...(storageClassName !== undefined && { storageClassName }),
    },
  };
}

export const claimNameFor = (training: TrainingJob): string =>
  training.spec.checkpoint?.claimName ?? `${nameOf(training)}-checkpoints`;

const nameOf = ({ metadata }: TrainingJob): string => metadata?.name ?? '';

function metadataFor(training: TrainingJob, name: string) {
  return {
    name,
    namespace: training.metadata?.namespace ?? '',
    labels: { [trainingJobLabel]: nameOf(training) },
    ownerReferences: [controllerReference(trainingJobKind, training)],
  };
}
