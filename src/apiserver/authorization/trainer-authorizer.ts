import type { TrainingJob } from '../../api/kinds/trainingJob.ts';
import type { KubeObject } from '../../api/object.ts';
import { parseReference } from '../../oci/reference.ts';
import type { Store } from '../../store/store.ts';
import { isRecord } from '../options.ts';
import { keyOf } from '../stored.ts';
import type { User } from '../user.ts';
import type { Authorizer, Decision } from './authorize.ts';

const group = 'learning.selvage.dev';
const extra = 'authentication.kubernetes.io/';
const yes: Decision = { allowed: true };

/**
 * Lets a pod that belongs to a TrainingJob read it, tell how far it is, and read the InferenceService that it may promote
 * to. It goes by the pod that the caller's token is bound to, so that no roles have to be made for each job.
 */
export function createTrainerAuthorizer(store: Store): Authorizer {
  return ({ user, resource, body }) => {
    if (!resource || podOf(user) === undefined) return undefined;
    const { verb, namespace, name, subresource = '' } = resource;
    if (resource.group === group && resource.resource === 'trainingjobs') {
      const isTold = verb === 'patch' && subresource === 'status' && tellsProgressOnly(body);
      const isAsked = isTold || (verb === 'get' && subresource === '');
      const job = isAsked ? trainingJobOf(store, user) : undefined;
      return job && isNamed(job, namespace, name) ? yes : undefined;
    }
    if (resource.group !== 'serving.kserve.io' || resource.resource !== 'inferenceservices') return undefined;
    if (verb !== 'get' || subresource !== '') return undefined;
    const job = trainingJobOf(store, user);
    const isIts = job?.metadata?.namespace === namespace && job?.spec?.promote?.inferenceService === name;
    return isIts ? yes : undefined;
  };
}

/** Whether a pod of a TrainingJob may do this in the cluster's registry: push its output, read that and what it is compared with. */
export function mayTrainerUse(
  store: Store,
  user: User,
  { action, repository }: { action: string; repository: string | undefined },
): boolean {
  if (repository === undefined || !['pull', 'push'].includes(action)) return false;
  const job = trainingJobOf(store, user);
  const { output, promote } = job?.spec ?? {};
  if (output !== undefined && parseReference(output).repository === repository) return true;
  if (action !== 'pull' || !promote) return false;
  const kind = { group: 'serving.kserve.io', plural: 'inferenceservices', namespaced: true };
  const serving = store.get(keyOf(kind, job!.metadata?.namespace, promote.inferenceService))?.value as
    | { spec?: { predictor?: { model?: { storageUri?: string } } } }
    | undefined;
  return repositoryOf(serving?.spec?.predictor?.model?.storageUri) === repository;
}

function repositoryOf(storageUri = ''): string | undefined {
  try {
    return parseReference(storageUri.replace(/^oci:\/\//, '')).repository;
  } catch {
    return undefined;
  }
}

function podOf({ name, extra: more }: User): { namespace: string; name: string; uid: string } | undefined {
  const namespace = /^system:serviceaccount:([^:]+):/.exec(name)?.[1];
  const [pod] = more?.[`${extra}pod-name`] ?? [];
  const [uid] = more?.[`${extra}pod-uid`] ?? [];
  return namespace && pod && uid ? { namespace, name: pod, uid } : undefined;
}

/** The job of the pod that a token is bound to: the pod's Job is the TrainingJob's. */
function trainingJobOf(store: Store, user: User): TrainingJob | undefined {
  const bound = podOf(user);
  if (!bound) return undefined;
  const { namespace } = bound;
  const pod = read(store, { group: '', plural: 'pods' }, namespace, bound.name);
  if (pod?.metadata?.uid !== bound.uid) return undefined;
  const batch = owner(store, pod, 'Job', { group: 'batch', plural: 'jobs' });
  // The clients of a federated training are the TrainingJob's own pods, and tell nobody but the coordinator.
  const job = batch && owner(store, batch, 'TrainingJob', { group, plural: 'trainingjobs' });
  return job as TrainingJob | undefined;
}

function owner(store: Store, object: KubeObject, kind: string, at: { group: string; plural: string }) {
  const reference = object.metadata?.ownerReferences?.find(({ controller }) => controller);
  if (reference?.kind !== kind || !reference.apiVersion.startsWith(`${at.group}/`)) return undefined;
  const found = read(store, at, object.metadata?.namespace, reference.name);
  return found?.metadata?.uid === reference.uid ? found : undefined;
}

function read(
  store: Store,
  at: { group: string; plural: string },
  namespace: string | undefined,
  name: string,
): KubeObject | undefined {
  return store.get(keyOf({ ...at, namespaced: true }, namespace, name))?.value as KubeObject | undefined;
}

const isNamed = ({ metadata }: TrainingJob, namespace: string | undefined, name: string | undefined) =>
  metadata?.namespace === namespace && metadata?.name === name;

const told = ['progress', 'result', 'federated'];

/** A merge patch of nothing but what a trainer knows; what becomes of the job is the controller's to say. */
function tellsProgressOnly(body: unknown): boolean {
  if (!isRecord(body) || !isRecord(body.status)) return false;
  return Object.keys(body).length === 1 && Object.keys(body.status).every((field) => told.includes(field));
}
