import type { TrainingJobSpec } from '../../api/parts/trainingJob.ts';
import { jobVariable } from './places.ts';

/** What a trainer is told of its job. */
export interface TrainerJob {
  namespace: string;
  name: string;
  uid: string;
  spec: TrainingJobSpec;
}

/** Reads the job that the controller has put into the environment. */
export function readJob(env: Record<string, string | undefined>): TrainerJob {
  const text = env[jobVariable];
  if (!text) throw new Error(`$${jobVariable} is not set: this program runs in the pod of a TrainingJob`);
  // The API server has checked the specification, and the controller wrote the rest.
  return JSON.parse(text) as TrainerJob;
}

/** Where a path of the pod really is; undefined where nothing is mounted there. */
export function mountedAt(env: Record<string, string | undefined>): (path: string) => string | undefined {
  const mounts = JSON.parse(env.SELVAGE_MOUNTS ?? '{}') as Record<string, string>;
  return (path) => mounts[path];
}
