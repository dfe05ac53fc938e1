import { type Deployment, deployment as deploymentKind } from '../api/kinds/deployment.ts';
import {
  type InferenceService,
  inferenceService as inferenceServiceKind,
} from '../api/kinds/inferenceService.ts';
import { type Pod, pod as podKind } from '../api/kinds/pod.ts';
import { replicaSet as replicaSetKind } from '../api/kinds/replicaSet.ts';
import { type Service, service as serviceKind } from '../api/kinds/service.ts';
import type { KindAddress, KubeObject } from '../api/object.ts';
import { isStatus } from '../base/errors.ts';
import type { Running } from '../base/lifecycle.ts';
import type { Change } from '../client/cache.ts';
import { subjectOf } from '../client/events.ts';
import type { Informer } from '../client/informer.ts';
import { type Context, runController, source } from './controller.ts';
import { changed } from './inference-service/ensure.ts';
import { KnownModels } from './inference-service/known-models.ts';
import { withModel } from './inference-service/legacy-model.ts';
import { referenceOf, tellPods } from './inference-service/model-pods.ts';
import {
  canaryName,
  componentName,
  inferenceServiceLabel,
  isStopped,
  servedAnnotation,
} from './inference-service/names.ts';
import { plan } from './inference-service/plan.ts';
import { PodQuestions } from './inference-service/pod-questions.ts';
import { type Refusal, refusalOf } from './inference-service/refusal.ts';
import { revisionNamed } from './inference-service/revision.ts';
import { servedModel } from './inference-service/served-model.ts';
import { latestOf, refusedStatusOf, statusOf } from './inference-service/status.ts';
import { modelStorage } from './inference-service/storage.ts';
import { controllerOf, isControlledBy } from './owner.ts';
import { writeStatus } from './write-status.ts';

/** How often a tag is looked up again. */
export const tagLookMs = 5_000;
/** How often pods that get other weights are asked whether these are live. */
const swapLookMs = 500;

/** Runs each InferenceService's model as Deployments and Services, and says what became of them. */
export function run(context: Context): Running {
  const { client, clock, informers } = context;
  const inferences = informers.of(inferenceServiceKind);
  const deployments = informers.of(deploymentKind);
  const replicaSets = informers.of(replicaSetKind);
  const services = informers.of(serviceKind);
  const pods = informers.of(podKind);
  const events = context.recorder('inferenceservice-controller');
  const models = new KnownModels(context.registry, context.log);
  const questions = new PodQuestions(client);

  async function reconcile(key: string): Promise<number | undefined> {
    const found = inferences.get(key);
    if (!found || found.metadata?.deletionTimestamp) return;
    const inference = withModel(found);
    const refusal = refusalOf(inference);
    if (refusal) return refuse(inference, refusal);
    const ownNamed = <T extends KubeObject>(informer: Informer<T>, name: string): T | undefined => {
      const found = informer.get(`${inference.metadata?.namespace}/${name}`);
      return found && isControlledBy(found, inference) ? found : undefined;
    };
    const [name, beside] = [componentName(inference, 'predictor'), canaryName(inference)];
    const stable = ownNamed(deployments, name);
    const { reference } = modelStorage(inference) ?? {};
    const model = reference ? await models.find(reference, stable && referenceOf(stable)) : undefined;
    const wanted = plan(
      inference,
      {
        stable,
        canary: ownNamed(deployments, beside),
        previous: revisionNamed(
          inference.status?.components?.predictor?.previousRolledoutRevision,
          replicaSets.byIndex('owner', stable?.metadata?.uid ?? ''),
        ),
      },
      { model, replicas: replicasOf(inference) },
    );
    const made = new Map<string, Deployment>();
    let problem: string | undefined;
    for (const each of wanted.deployments) {
      const ensured = await ensure(inference, deploymentKind, deployments, each);
      if (ensured.object) made.set(each.metadata?.name ?? '', ensured.object);
      problem ??= ensured.problem;
    }
    for (const each of wanted.services) {
      problem ??= (await ensure(inference, serviceKind, services, each)).problem;
    }
    for (const each of wanted.drops) {
      if (ownNamed(services, each)) await remove(serviceKind, inference, each);
      if (ownNamed(deployments, each)) await remove(deploymentKind, inference, each);
    }
    if (problem) return refuse(inference, { reason: 'InvalidPredictorSpec', message: problem });
    for (const each of made.values()) await tellPods(client, each, podsOf(each));
    const latest = latestOf({ plan: wanted, stable: made.get(name), canary: made.get(beside) });
    const served =
      latest && (await servedModel(inference, latest, { model, pods: podsOf(latest), questions }));
    const status = statusOf(inference, {
      plan: wanted,
      ...(served && { served }),
      stable: made.get(name),
      canary: made.get(beside),
      transformer: made.get(componentName(inference, 'transformer')),
      explainer: made.get(componentName(inference, 'explainer')),
      pods: [...made.values()].flatMap(podsOf),
      nowMs: clock.nowMs(),
    });
    await writeStatus(client, inferenceServiceKind, inference, status);
    const before = inference.status?.annotations?.[servedAnnotation];
    if (before && served?.reference && served.reference !== before) {
      const subject = subjectOf(inferenceServiceKind, inference);
      events.record(
        subject,
        'Normal',
        'ModelServed',
        `All pods serve ${served.reference}, no more ${before}`,
      );
    }
    if (served?.isSwapping) return swapLookMs;
    // A tag may be pushed anew; a digest means the same for ever.
    return reference && !reference.includes('@') ? tagLookMs : undefined;
  }

  function podsOf({ metadata }: Deployment): Pod[] {
    const owned = replicaSets.byIndex('owner', metadata?.uid ?? '');
    return owned.flatMap((each) => pods.byIndex('owner', each.metadata?.uid ?? ''));
  }

  async function refuse(inference: InferenceService, refusal: Refusal): Promise<undefined> {
    const subject = subjectOf(inferenceServiceKind, inference);
    events.record(subject, 'Warning', 'InvalidPredictor', refusal.message);
    const status = refusedStatusOf(inference, refusal, clock.nowMs());
    await writeStatus(client, inferenceServiceKind, inference, status);
  }

  /** Makes `wanted` so: what it says is set, what it leaves open (defaults, a scale by hand of others) stays. */
  async function ensure<T extends Deployment | Service>(
    inference: InferenceService,
    kind: KindAddress<T>,
    informer: Informer<T>,
    wanted: T,
  ): Promise<{ object?: T; problem?: string }> {
    const key = `${wanted.metadata?.namespace}/${wanted.metadata?.name}`;
    const present = informer.get(key);
    if (!present) return { object: await client.create(kind, wanted) };
    if (!isControlledBy(present, inference)) {
      return {
        problem: `${kind.kind} "${key}" is there already and belongs to someone else; delete or rename it`,
      };
    }
    const next = changed(present, wanted);
    return { object: next ? await client.update(kind, next) : present };
  }

  async function remove<T extends Deployment | Service>(
    kind: KindAddress<T>,
    { metadata }: InferenceService,
    name: string,
  ): Promise<void> {
    try {
      await client.delete(kind, { namespace: metadata?.namespace, name });
    } catch (error) {
      if (!isStatus(error, 'NotFound')) throw error;
    }
  }

  const ownerKey = ({ object }: Change<KubeObject>): string[] => {
    const owner = controllerOf(object);
    return owner?.kind === 'InferenceService' ? [`${object.metadata?.namespace}/${owner.name}`] : [];
  };
  return runController(context, {
    name: 'inferenceservice',
    sources: [
      source(inferenceServiceKind, ({ key }) => [key]),
      source(deploymentKind, ownerKey),
      source(serviceKind, ownerKey),
      source(podKind, ({ object: { metadata } }) => {
        const name = metadata?.labels?.[inferenceServiceLabel];
        return name === undefined ? [] : [`${metadata?.namespace}/${name}`];
      }),
    ],
    reconcile,
  });
}

function replicasOf(inference: InferenceService): number {
  return isStopped(inference) ? 0 : Math.max(1, inference.spec?.predictor.minReplicas ?? 1);
}
