import {
  type InferenceService,
  inferenceService as inferenceServiceKind,
} from '../api/kinds/inferenceService.ts';
import { type Job, job as jobKind } from '../api/kinds/job.ts';
import { node as nodeKind } from '../api/kinds/node.ts';
import {
  persistentVolumeClaim as claimKind,
  type PersistentVolumeClaim,
} from '../api/kinds/persistentVolumeClaim.ts';
import { pod as podKind } from '../api/kinds/pod.ts';
import { type TrainingJob, trainingJob as trainingJobKind } from '../api/kinds/trainingJob.ts';
import type { KubeObject } from '../api/object.ts';
import { isStatus } from '../base/errors.ts';
import type { Running } from '../base/lifecycle.ts';
import type { Change } from '../client/cache.ts';
import { subjectOf } from '../client/events.ts';
import { type Context, runController, source } from './controller.ts';
import { controllerOf, isControlledBy, keyOfMeta } from './owner.ts';
import { coordinatorJobFor } from './training-job/federated.ts';
import { createFederatedClients } from './training-job/federated-clients.ts';
import { finishedAs, remainingMs, statusOf } from './training-job/plan.ts';
import { claimFor, jobFor } from './training-job/pod.ts';
import { decidePromotion, type Promotion, promotionPatch } from './training-job/promotion.ts';
import { writeStatus } from './write-status.ts';

/** Runs each TrainingJob as a Job with a volume for its checkpoints, and puts a better model into service. */
export function run(context: Context): Running {
  const { client, clock, informers } = context;
  const trainings = informers.of(trainingJobKind);
  const jobs = informers.of(jobKind);
  const pods = informers.of(podKind);
  const events = context.recorder('trainingjob-controller');
  const clients = createFederatedClients(context);

  async function reconcile(key: string): Promise<number | undefined> {
    const training = trainings.get(key);
    if (!training || training.metadata?.deletionTimestamp) return undefined;
    const waitMs = remainingMs(training, clock.nowMs());
    if (waitMs === 0) return remove(training);
    if (finishedAs(training)) {
      const againMs = await clients.end(training);
      return againMs === undefined ? waitMs : Math.min(againMs, waitMs ?? againMs);
    }
    const { job, problem } = await ensure(training);
    const againMs = job && !isEnded(job) ? await clients.keep(training) : undefined;
    const promotion = isTrained(job) ? await promote(training) : undefined;
    const own = job ? pods.byIndex('owner', job.metadata?.uid ?? '') : [];
    const said = statusOf({ training, job, pods: own, promotion, problem, nowMs: clock.nowMs() });
    await writeStatus(client, trainingJobKind, training, said.status);
    for (const { type, reason, message } of said.events) {
      events.record(subjectOf(trainingJobKind, training), type, reason, message);
    }
    return againMs;
  }

  /** Makes the Job and the claim, once; of a Job that is there only what may change is changed. */
  async function ensure(training: TrainingJob): Promise<{ job?: Job; problem?: string }> {
    const count = clients.count(training);
    const wanted = training.spec.federated ? coordinatorJobFor(training, count) : jobFor(training);
    const at = keyOfMeta(wanted.metadata ?? {});
    const present = jobs.get(`${at.namespace}/${at.name}`);
    if (present && !isControlledBy(present, training)) {
      return {
        problem: `there is a Job "${at.name}" already that belongs to someone else; delete or rename it`,
      };
    }
    if (!present && training.spec.federated) {
      if (count === 0) {
        events.record(
          subjectOf(trainingJobKind, training),
          'Warning',
          'NoNodes',
          'no node has the labels of spec.nodeSelector',
        );
        return {};
      }
      await clients.prepare(training);
    }
    if (!present) {
      const claim = claimFor(training);
      if (claim) await createOnce(claim);
      try {
        return { job: await client.create(jobKind, wanted) };
      } catch (error) {
        if (isStatus(error, 'AlreadyExists')) throw error;
        if (isStatus(error, 'Invalid') || isStatus(error, 'Forbidden')) return { problem: error.message };
        throw error;
      }
    }
    const { suspend, backoffLimit, activeDeadlineSeconds } = wanted.spec!;
    const { spec } = present;
    const isAsWanted =
      spec?.suspend === suspend &&
      spec?.backoffLimit === backoffLimit &&
      spec?.activeDeadlineSeconds === activeDeadlineSeconds;
    if (isAsWanted || isEnded(present)) return { job: present };
    const body = { spec: { suspend, backoffLimit, activeDeadlineSeconds: activeDeadlineSeconds ?? null } };
    return { job: await client.patch(jobKind, at, { type: 'merge', body }) };
  }

  async function createOnce(claim: PersistentVolumeClaim): Promise<void> {
    try {
      await client.create(claimKind, claim);
    } catch (error) {
      if (!isStatus(error, 'AlreadyExists')) throw error;
    }
  }

  /** Decides, and changes the InferenceService if the trained model is the better one. */
  async function promote(training: TrainingJob): Promise<Promotion | undefined> {
    const { promote: asked } = training.spec;
    if (!asked || !training.status?.result) return undefined;
    const at = { namespace: training.metadata?.namespace, name: asked.inferenceService };
    const service = await client.get(inferenceServiceKind, at).catch((error: unknown) => {
      if (isStatus(error, 'NotFound')) return undefined;
      throw error;
    });
    const promotion = decidePromotion(training, service);
    if (!promotion?.isPromoted || isServing(service, promotion.storageUri)) return promotion;
    const { resourceVersion = '' } = service?.metadata ?? {};
    // Of the state that was looked at: a change in between is looked at again.
    const body = { metadata: { resourceVersion }, ...promotionPatch(training, promotion.storageUri) };
    await client.patch(inferenceServiceKind, at, { type: 'merge', body });
    const from = subjectOf(inferenceServiceKind, service!);
    events.record(
      from,
      'Normal',
      'ModelPromoted',
      `${promotion.storageUri} of TrainingJob ${training.metadata?.name}`,
    );
    return promotion;
  }

  async function remove(training: TrainingJob): Promise<undefined> {
    const { uid = '', resourceVersion = '' } = training.metadata ?? {};
    try {
      await client.delete(trainingJobKind, keyOfMeta(training.metadata ?? {}), {
        propagationPolicy: 'Background',
        preconditions: { uid, resourceVersion },
      });
    } catch (error) {
      // Changed or gone meanwhile: the watch brings it back.
      if (!isStatus(error, 'NotFound') && !isStatus(error, 'Conflict')) throw error;
    }
  }

  const ownerKey = ({ object }: Change<KubeObject>): string[] => {
    const owner = controllerOf(object);
    return owner?.kind === 'TrainingJob' ? [`${object.metadata?.namespace}/${owner.name}`] : [];
  };
  return runController(context, {
    name: 'trainingjob',
    sources: [
      source(trainingJobKind, ({ key }) => [key]),
      source(jobKind, ownerKey),
      source(podKind, ownerKey),
      source(nodeKind, clients.keysForNode),
    ],
    reconcile,
  });
}

const holds = (job: Job | undefined, type: string): boolean =>
  job?.status?.conditions?.some((each) => each.type === type && each.status === 'True') ?? false;

const isTrained = (job: Job | undefined): boolean => holds(job, 'Complete');
const isEnded = (job: Job): boolean => holds(job, 'Complete') || holds(job, 'Failed');

const isServing = (service: InferenceService | undefined, storageUri: string): boolean =>
  service?.spec?.predictor.model?.storageUri === storageUri;
