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

/** The built-in images of a federated training. */
export const coordinatorImage = 'selvage.dev/builtin/federated-coordinator';
export const clientImage = 'selvage.dev/builtin/federated-client';
export const coordinatorPort = 8080;
/** To the coordinator: the key of its clients' tokens, and how many clients there are. */
export const keyVariable = 'FEDERATED_KEY';
export const clientCountVariable = 'FEDERATED_CLIENTS';
/** To a client: where the coordinator is, its own name and token, and its place among the clients, `2/5`. */
export const coordinatorVariable = 'FEDERATED_COORDINATOR';
export const clientVariable = 'FEDERATED_CLIENT';
export const tokenVariable = 'FEDERATED_TOKEN';
export const placeVariable = 'FEDERATED_PLACE';
