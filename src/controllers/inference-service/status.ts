import { conditionOf } from '../../api/conditions.ts';
import type { Deployment } from '../../api/kinds/deployment.ts';
import type {
  InferenceService,
  InferenceServiceCondition,
  InferenceServiceStatus,
} from '../../api/kinds/inferenceService.ts';
import type { Pod } from '../../api/kinds/pod.ts';
import { toTime } from '../../base/clock.ts';
import { withCondition } from '../write-status.ts';
import type { DriftSeen } from './drift.ts';
import { type Failure, failureOf, modelStatusOf, refusedModel } from './model-status.ts';
import {
  type ComponentName,
  componentName,
  componentsOf,
  isStopped,
  servedAnnotation,
  urlOf,
} from './names.ts';
import type { InferencePlan } from './plan.ts';
import type { Refusal } from './refusal.ts';
import { isRolledOut, revisionOf } from './revision.ts';
import { revisionsOf } from './revision-status.ts';
import type { ChosenRuntime } from './runtimes.ts';
import type { ServedModel } from './served-model.ts';

/** What became of the plan. */
export interface Observed {
  plan: InferencePlan;
  stable?: Deployment | undefined;
  canary?: Deployment | undefined;
  transformer?: Deployment | undefined;
  explainer?: Deployment | undefined;
  /** Pods of the predictor. */
  pods: readonly Pod[];
  /** The model that the pods of the latest revision serve; `isSwapping` while they get another one. */
  served?: ServedModel;
  drift?: DriftSeen | undefined;
  /** What serves the model. */
  runtime?: Pick<ChosenRuntime, 'name' | 'isCluster'> | undefined;
  nowMs: number;
}

interface Why {
  reason: string;
  message: string;
}

const titles = { predictor: 'Predictor', transformer: 'Transformer', explainer: 'Explainer' };

/** What an InferenceService shows; names and meanings are KServe's. */
export function statusOf(inference: InferenceService, observed: Observed): InferenceServiceStatus {
  const latest = latestOf(observed);
  const { runtime } = observed;
  const isLatestReady = isAvailable(latest);
  const failure = isLatestReady ? undefined : failureOf(observed.pods, latest);
  const wanted = componentsOf(inference);
  const shown = new Conditions(inference, observed.nowMs);
  for (const name of ['transformer', 'explainer'] as const)
    if (!wanted.includes(name)) shown.drop(`${titles[name]}Ready`);
  for (const name of wanted) {
    const deployment = name === 'predictor' ? latest : observed[name];
    const isServing = name !== 'predictor' || isSharing(observed);
    const isReady = isAvailable(deployment) && isServing && !isStopped(inference);
    shown.say(`${titles[name]}Ready`, isReady || whyNot(inference, deployment, name, failure));
  }
  shown.say('LatestDeploymentReady', isLatestReady || whyNot(inference, latest, 'predictor', failure));
  shown.say('RoutesReady', true);
  shown.say('IngressReady', true);
  shown.sayStopped(isStopped(inference));
  if (observed.drift) shown.sayDrift(observed.drift);
  shown.sayReady();
  const first = wanted.includes('transformer') ? 'transformer' : 'predictor';
  const url = urlOf(inference, componentName(inference, first));
  const isServed = isLatestReady && !observed.served?.isSwapping;
  const served = observed.served?.reference;
  const companions = wanted
    .filter((name) => name !== 'predictor')
    .map((name) => [name, { url: urlOf(inference, componentName(inference, name)) }] as const);
  return {
    observedGeneration: inference.metadata?.generation ?? 0,
    conditions: shown.conditions,
    deploymentMode: 'RawDeployment',
    ...(runtime && {
      [runtime.isCluster ? 'clusterServingRuntimeName' : 'servingRuntimeName']: runtime.name,
    }),
    url,
    address: { url },
    components: {
      predictor: revisionsOf(inference, { ...observed, isLatestReady: isServed }),
      ...Object.fromEntries(companions),
    },
    modelStatus: modelStatusOf(inference, {
      ...observed,
      isLatestReady: isServed,
      failure: failure ?? observed.served?.failure,
    }),
    ...(served !== undefined && { annotations: { [servedAnnotation]: served } }),
  };
}

/** What was served before goes on being served, and is shown still. */
export function refusedStatusOf(
  inference: InferenceService,
  refusal: Refusal,
  nowMs: number,
): InferenceServiceStatus {
  const why = { reason: 'InvalidPredictor', message: refusal.detail ?? refusal.message };
  const shown = new Conditions(inference, nowMs);
  shown.say('PredictorReady', why);
  if (!inference.status?.url) shown.say('IngressReady', why);
  shown.sayReady();
  const { url, address, components, deploymentMode, clusterServingRuntimeName, servingRuntimeName } =
    inference.status ?? {};
  return {
    observedGeneration: inference.metadata?.generation ?? 0,
    conditions: shown.conditions,
    ...(deploymentMode !== undefined && { deploymentMode }),
    ...(clusterServingRuntimeName !== undefined && { clusterServingRuntimeName }),
    ...(servingRuntimeName !== undefined && { servingRuntimeName }),
    ...(url !== undefined && { url }),
    ...(address && { address }),
    ...(components && { components }),
    modelStatus: refusedModel(inference, refusal),
  };
}

/** The predictor's Deployment of the newest revision. */
export function latestOf({
  plan,
  stable,
  canary,
}: Pick<Observed, 'plan' | 'stable' | 'canary'>): Deployment | undefined {
  return [canary, stable].find((each) => each && revisionOf(each) === plan.latestRevision) ?? stable;
}

/** All pods are of the newest template, and one can answer; or none are wanted now. */
function isAvailable(deployment: Deployment | undefined): boolean {
  return isRolledOut(deployment) && conditionOf(deployment!, 'Available')?.status === 'True';
}

/** Whether the revision beside the newest can answer its share, if it has one. */
function isSharing({ plan, stable }: Observed): boolean {
  if (!stable || plan.canaryPercent === 100 || revisionOf(stable) === plan.latestRevision) return true;
  return stable.spec?.replicas === 0 || (stable.status?.availableReplicas ?? 0) > 0;
}

function whyNot(
  inference: InferenceService,
  deployment: Deployment | undefined,
  name: ComponentName,
  failure: Failure | undefined,
): Why {
  if (isStopped(inference)) return { reason: 'Stopped', message: 'The service was stopped.' };
  if (name === 'predictor' && failure) return { reason: 'RevisionFailed', message: failure.message };
  const progress = deployment && conditionOf(deployment, 'Progressing');
  const said = progress?.status === 'False' ? progress : deployment && conditionOf(deployment, 'Available');
  return said?.status === 'False'
    ? { reason: said.reason ?? `${titles[name]}NotReady`, message: said.message ?? '' }
    : { reason: `${titles[name]}NotReady`, message: `The ${name} is being started.` };
}

export function driftMessage({ drifted, score, threshold }: DriftSeen): string {
  const what = drifted ? 'differs from the training set' : 'is like the training set';
  return `What is asked ${what}: the stability index is ${score.toFixed(2)}, drift is above ${threshold}`;
}

/** The conditions as they were, and what is said anew. */
class Conditions {
  conditions: InferenceServiceCondition[];
  readonly #time: string;

  constructor(inference: InferenceService, nowMs: number) {
    this.conditions = [...(inference.status?.conditions ?? [])];
    this.#time = toTime(nowMs);
  }

  /** True, or false for that reason. */
  say(type: string, told: true | Why): void {
    this.#set(type, told === true, told === true ? undefined : told);
  }

  drop(type: string): void {
    this.conditions = this.conditions.filter((each) => each.type !== type);
  }

  /** Only of what is stopped, or was. */
  sayStopped(isStopped: boolean): void {
    const why = { reason: 'Stopped', message: 'The annotation serving.kserve.io/stop is set.' };
    if (isStopped) this.#set('Stopped', true, why);
    else if (this.conditions.some(({ type }) => type === 'Stopped')) this.#set('Stopped', false, undefined);
  }

  /** For those who look after the model: it serves all the same. */
  sayDrift(drift: DriftSeen): void {
    const reason = drift.drifted ? 'InputsLeftTrainingSet' : 'InputsAsTrained';
    this.#set('ModelDrift', drift.drifted, { reason, message: driftMessage(drift), severity: 'Info' });
  }

  /** What all components and the routes come to. */
  sayReady(): void {
    const parts = ['PredictorReady', 'TransformerReady', 'ExplainerReady', 'IngressReady'];
    const failed = this.conditions.find(({ type, status }) => parts.includes(type) && status !== 'True');
    const why = { reason: failed?.reason ?? 'NotReady', message: failed?.message ?? '' };
    this.#set('Ready', !failed, failed && why);
  }

  #set(type: string, isTrue: boolean, why: (Why & { severity?: 'Info' }) | undefined): void {
    const status = isTrue ? 'True' : 'False';
    this.conditions = withCondition(this.conditions, {
      type,
      status,
      lastTransitionTime: this.#time,
      ...why,
    });
  }
}
