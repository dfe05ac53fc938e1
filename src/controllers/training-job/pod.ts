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
type PodSpec = NonNullable<PodTemplate['spec']>;
type Volume = NonNullable<PodSpec['volumes']>[number];
type EnvVar = NonNullable<PodSpec['containers'][number]['env']>[number];

/** One of the programs that a training is made of. */
export interface Program {
  image: string;
  env?: EnvVar[];
  /** Whether it is to be where the data are. */
  seesData: boolean;
  /** Whether it keeps what must outlive its pod. */
  keepsCheckpoints: boolean;
}

const trainer: Program = { image: trainerImage, seesData: true, keepsCheckpoints: true };

/** The Job whose one pod trains: what becomes of pods that fail is the Job's business. */
export function jobFor(training: TrainingJob, program: Program = trainer): Job {
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
      template: templateFor(training, program),
    },
  };
}

/** A pod of the training, which ends with its program. */
export function templateFor(
  training: TrainingJob,
  { image, env = [], seesData, keepsCheckpoints }: Program,
): PodTemplate {
  const { namespace = '', name = '', uid = '' } = training.metadata ?? {};
  const { spec } = training;
  const { nodeSelector, tolerations, resources } = spec;
  const volumes: Volume[] = [];
  const mounts: { name: string; mountPath: string }[] = [];
  if (keepsCheckpoints) {
    volumes.push({ name: 'checkpoints', persistentVolumeClaim: { claimName: claimNameFor(training) } });
    mounts.push({ name: 'checkpoints', mountPath: checkpointsFolder });
  }
  volumes.push({ name: 'work', emptyDir: {} });
  mounts.push({ name: 'work', mountPath: workFolder });
  const { volume } = spec.dataset;
  if (seesData && volume && Object.keys(volume).length > 0) {
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
      ...(seesData && nodeSelector && { nodeSelector }),
      ...(tolerations && { tolerations }),
      containers: [
        {
          name: trainerContainer,
          image,
          env: [
            ...env,
            {
              name: jobVariable,
              value: escaped(JSON.stringify({ namespace, name, uid, spec: told(training) })),
            },
          ],
          ...(seesData && resources && { resources }),
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

export const nameOf = ({ metadata }: TrainingJob): string => metadata?.name ?? '';

export function metadataFor(training: TrainingJob, name: string) {
  return {
    name,
    namespace: training.metadata?.namespace ?? '',
    labels: { [trainingJobLabel]: nameOf(training) },
    ownerReferences: [controllerReference(trainingJobKind, training)],
  };
}
