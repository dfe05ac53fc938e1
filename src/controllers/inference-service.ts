import { clusterServingRuntime as runtimeKind } from '../api/kinds/clusterServingRuntime.ts';
import { type Deployment, deployment as deploymentKind } from '../api/kinds/deployment.ts';
import { horizontalPodAutoscaler as podAutoscalerKind } from '../api/kinds/horizontalPodAutoscaler.ts';
import {
  type InferenceService,
  inferenceService as inferenceServiceKind,
} from '../api/kinds/inferenceService.ts';
import { node as nodeKind } from '../api/kinds/node.ts';
import { type Pod, pod as podKind } from '../api/kinds/pod.ts';
import { replicaSet as replicaSetKind } from '../api/kinds/replicaSet.ts';
import { service as serviceKind } from '../api/kinds/service.ts';
import { servingRuntime as ownRuntimeKind } from '../api/kinds/servingRuntime.ts';
import type { KindAddress, KubeObject } from '../api/object.ts';
import { isStatus } from '../base/errors.ts';
import type { Running } from '../base/lifecycle.ts';
import type { Change } from '../client/cache.ts';
import { subjectOf } from '../client/events.ts';
import type { Informer } from '../client/informer.ts';
import { type Context, runController, source } from './controller.ts';
import { Autoscaler, tickMs } from './inference-service/autoscaler.ts';
import { changesOf } from './inference-service/changes.ts';
import { DriftWatch, driftLookMs } from './inference-service/drift.ts';
import { changed, type Made } from './inference-service/ensure.ts';
import { newlyHeld } from './inference-service/held.ts';
import { KnownModels } from './inference-service/known-models.ts';
import { referenceOf, tellPods } from './inference-service/model-pods.ts';
import { canaryName, componentName, inferenceServiceLabel, isStopped } from './inference-service/names.ts';
import { NodeLoads } from './inference-service/node-loads.ts';
import { plan, takesWeights } from './inference-service/plan.ts';
import { followsResources, podAutoscalerFor } from './inference-service/pod-autoscaler.ts';
import { PodQuestions } from './inference-service/pod-questions.ts';
import type { Refusal } from './inference-service/refusal.ts';
import { resolve } from './inference-service/resolve.ts';
import { isRolledOut, revisionNamed, revisionOf } from './inference-service/revision.ts';
import { boundsOf, scaleSettingsOf } from './inference-service/scale-settings.ts';
import { servedModel, swapOf } from './inference-service/served-model.ts';
import { latestOf, refusedStatusOf, statusOf } from './inference-service/status.ts';
import { modelStorage } from './inference-service/storage.ts';
import { controllerOf, isControlledBy } from './owner.ts';
import { writeStatus } from './write-status.ts';

/** How often a tag is looked up again. */
export const tagLookMs = 5_000;
/** How often pods that get other weights are asked whether these are live: many together less often. */
const swapLookMs = (pods: number) => Math.min(1_000, 100 + 20 * pods);
/** And when one of them could not load them: others' nodes may still fetch. */
const refusedLookMs = 5_000;

/** Runs each InferenceService's model as Deployments and Services, and says what became of them. */
export function run(context: Context): Running {
  const { client, clock, informers } = context;
  const inferences = informers.of(inferenceServiceKind);
  const deployments = informers.of(deploymentKind);
  const replicaSets = informers.of(replicaSetKind);
  const services = informers.of(serviceKind);
  const runtimes = informers.of(runtimeKind);
  const ownRuntimes = informers.of(ownRuntimeKind);
  const pods = informers.of(podKind);
  const podAutoscalers = informers.of(podAutoscalerKind);
  const events = context.recorder('inferenceservice-controller');
  const models = new KnownModels(context.registry, context.log);
  const questions = new PodQuestions(client);
  const drifts = new DriftWatch({ clock, questions });
  const autoscaler = new Autoscaler({ clock, loads: new NodeLoads({ client, clock }) });

  async function reconcile(key: string): Promise<number | undefined> {
    const found = inferences.get(key);
    if (!found || found.metadata?.deletionTimestamp) {
      autoscaler.forget(key);
      drifts.forget(key);
      return;
    }
    const resolved = await resolve(client, found, {
      own: ownRuntimes.byIndex('namespace', found.metadata?.namespace ?? ''),
      cluster: runtimes.list(),
    });
    const { inference, runtime, access } = resolved;
    if (resolved.refusal) {
      await refuse(inference, resolved.refusal);
      return resolved.againMs;
    }
    const ownNamed = <T extends KubeObject>(informer: Informer<T>, name: string): T | undefined => {
      const found = informer.get(`${inference.metadata?.namespace}/${name}`);
      return found && isControlledBy(found, inference) ? found : undefined;
    };
    const [name, beside] = [componentName(inference, 'predictor'), canaryName(inference)];
    const stable = ownNamed(deployments, name);
    const { reference } = modelStorage(inference) ?? {};
    const model = reference ? await models.find(reference, stable && referenceOf(stable)) : undefined;
    const canary = ownNamed(deployments, beside);
    const isPromoted = stable && canary && revisionOf(stable) === revisionOf(canary);
    const { isDone: isStableSwapped } = isPromoted
      ? await swapOf(inference, stable, { model, pods: podsOf(stable), questions })
      : { isDone: true };
    const wanted = plan(
      inference,
      {
        stable,
        canary,
        isStableSwapped,
        previous: revisionNamed(
          inference.status?.components?.predictor?.previousRolledoutRevision,
          stable,
          replicaSets.byIndex('owner', stable?.metadata?.uid ?? ''),
        ),
      },
      { model, access, replicas: await replicasOf(key, inference, stable) },
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
    const byResources = podAutoscalerFor(inference);
    if (byResources)
      problem ??= (await ensure(inference, podAutoscalerKind, podAutoscalers, byResources)).problem;
    else if (ownNamed(podAutoscalers, name)) await remove(podAutoscalerKind, inference, name);
    for (const each of wanted.drops) {
      if (ownNamed(services, each)) await remove(serviceKind, inference, each);
      if (ownNamed(deployments, each)) await remove(deploymentKind, inference, each);
    }
    if (problem) return refuse(inference, { reason: 'InvalidPredictorSpec', message: problem });
    for (const each of made.values()) await tellPods(client, each, podsOf(each));
    const latest = latestOf({ plan: wanted, stable: made.get(name), canary: made.get(beside) });
    const served =
      latest && (await servedModel(inference, latest, { model, pods: podsOf(latest), questions }));
    const drift =
      takesWeights(inference) && latest ? await drifts.of(key, inference, podsOf(latest)) : undefined;
    const seen = [...made.values()].flatMap(podsOf);
    const status = statusOf(inference, {
      plan: wanted,
      drift,
      runtime,
      ...(served && { served }),
      stable: made.get(name),
      canary: made.get(beside),
      transformer: made.get(componentName(inference, 'transformer')),
      explainer: made.get(componentName(inference, 'explainer')),
      pods: seen,
      nowMs: clock.nowMs(),
    });
    await writeStatus(client, inferenceServiceKind, inference, status);
    const isSwapRefused = served?.failure !== undefined;
    for (const { type, reason, message } of changesOf(inference, status, { drift, isSwapRefused }))
      events.record(subjectOf(inferenceServiceKind, inference), type, reason, message);
    const isAsleep = made.get(name)?.spec?.replicas === 0;
    const looks = [
      served?.isSwapping ? (served.failure ? refusedLookMs : swapLookMs(seen.length)) : undefined,
      isStableSwapped ? undefined : swapLookMs(seen.length),
      scaleSettingsOf(inference) && !isAsleep ? tickMs : undefined,
      // A tag may be pushed anew; a digest means the same for ever.
      reference && !reference.includes('@') ? tagLookMs : undefined,
      takesWeights(inference) && !isAsleep ? driftLookMs : undefined,
    ].filter((each) => each !== undefined);
    return looks.length > 0 ? Math.min(...looks) : undefined;
  }

  /** How many pods the predictor is to have. */
  async function replicasOf(
    key: string,
    inference: InferenceService,
    stable: Deployment | undefined,
  ): Promise<number> {
    if (isStopped(inference)) return 0;
    const { min, max } = boundsOf(inference);
    const current = stable?.spec?.replicas;
    // What an autoscaler has made of it stays.
    if (followsResources(inference)) return Math.min(max, Math.max(1, min, current ?? 0));
    const settings = scaleSettingsOf(inference);
    if (!settings) return min;
    const pods = stable ? podsOf(stable) : [];
    // What is new must show that it runs, before it may go for want of requests.
    if (current !== 0 && stable && !isRolledOut(stable)) autoscaler.wake(key);
    const isShared = inference.status?.components?.predictor?.traffic?.length === 2;
    return autoscaler.podsFor(key, isShared ? { ...settings, min: Math.max(1, min) } : settings, {
      current,
      pods,
    });
  }

  function podsOf({ metadata }: Deployment): Pod[] {
    const owned = replicaSets.byIndex('owner', metadata?.uid ?? '');
    return owned.flatMap((each) => pods.byIndex('owner', each.metadata?.uid ?? ''));
  }

  async function refuse(inference: InferenceService, refusal: Refusal): Promise<undefined> {
    const subject = subjectOf(inferenceServiceKind, inference);
    events.record(subject, 'Warning', 'InvalidPredictor', refusal.detail ?? refusal.message);
    const status = refusedStatusOf(inference, refusal, clock.nowMs());
    await writeStatus(client, inferenceServiceKind, inference, status);
  }

  /** Makes `wanted` so: what it says is set, what it leaves open (defaults, a scale by hand of others) stays. */
  async function ensure<T extends Made>(
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

  async function remove<T extends Made>(
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

  const keyOf = ({ metadata }: InferenceService): string => `${metadata?.namespace}/${metadata?.name}`;
  const ownerKey = ({ object }: Change<KubeObject>): string[] => {
    const owner = controllerOf(object);
    return owner?.kind === 'InferenceService' ? [`${object.metadata?.namespace}/${owner.name}`] : [];
  };
  /** The InferenceService whose Service requests wait for. */
  const woken = (service: string): string[] => {
    const found = services.get(service);
    const [key] = found ? ownerKey({ type: 'added', key: service, object: found }) : [];
    if (key === undefined) return [];
    autoscaler.wake(key);
    return [key];
  };
  return runController(context, {
    name: 'inferenceservice',
    sources: [
      source(inferenceServiceKind, ({ key }) => [key]),
      source(runtimeKind, () => inferences.list().map(keyOf)),
      source(ownRuntimeKind, ({ object: { metadata } }) =>
        inferences.byIndex('namespace', metadata?.namespace ?? '').map(keyOf),
      ),
      source(deploymentKind, ownerKey),
      source(serviceKind, ownerKey),
      source(podAutoscalerKind, ownerKey),
      source(nodeKind, (change) => newlyHeld(change, clock.nowMs()).flatMap(woken)),
      source(podKind, ({ object: { metadata } }) => {
        const name = metadata?.labels?.[inferenceServiceLabel];
        return name === undefined ? [] : [`${metadata?.namespace}/${name}`];
      }),
    ],
    reconcile,
  });
}
