/*
 * What the controller and the trainer agree on: where the pod's volumes are, and what its end means.
 */

/** The built-in image that trains. */
export const trainerImage = 'selvage.dev/builtin/trainer';
export const trainerContainer = 'trainer';

/** The job as JSON: `{ namespace, name, uid, spec }`. */
export const jobVariable = 'TRAINING_JOB';

export const dataFolder = '/mnt/data';
export const moduleFolder = '/mnt/module';
export const checkpointsFolder = '/mnt/checkpoints';
/** Goes with the pod. */
export const workFolder = '/mnt/work';

/** Trying again would not help: the specification or the data are wrong. */
export const hopelessExitCode = 3;
