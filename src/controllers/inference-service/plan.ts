import type { Deployment } from '../../api/kinds/deployment.ts';
import type { InferenceService } from '../../api/kinds/inferenceService.ts';
import type { Service } from '../../api/kinds/service.ts';
import { holdAnnotation, pathsAnnotation, splitAnnotation } from '../../mesh/compile.ts';
import {
  companionTemplate,
  deploymentFor,
  predictorTemplate,
  serviceFor,
  type Template,
} from './component.ts';
import type { KnownModel } from './known-models.ts';
import {
  canaryName,
  componentName,
  componentsOf,
  isBuiltIn,
  isStopped,
  templateAnnotation,
} from './names.ts';
import {
  annotationsFor,
  differenceOf,
  digestOf,
  isRolledOut,
  nextRevision,
  noteBefore,
  type Revision,
  revisionOf,
  type Target,
  targetOf,
  withModelOf,
} from './revision.ts';
import { modelStorage, withReference } from './storage.ts';
import type { StorageAccess } from './storage-access.ts';

/** What there is of the predictor. */
export interface Present {
  stable?: Deployment | undefined;
  canary?: Deployment | undefined;
  /** False while pods of `stable` do not answer yet by the weights that they were given. */
  isStableSwapped?: boolean;
  /** The revision that had all requests before the one that has them now, if its pods are still known. */
  previous?: Revision | undefined;
}

export interface InferencePlan {
  deployments: Deployment[];
  services: Service[];
  /** Names of the Deployments and Services that go, where they are there. */
  drops: string[];
  /** The share of requests that goes to the canary now; undefined where there is none. */
  canaryPercent: number | undefined;
  /** The revision that the specification asks for. */
  latestRevision: string;
}

/** The mesh holds a request for a pod that comes up so long; KServe's default request timeout. */
const holdSecondsDefault = 60;

/**
 * The Deployments and Services that serve the model. A new revision with `canaryTrafficPercent` runs beside the old one
 * and gets its share once it is ready; without, the Deployment rolls over, and old pods serve until new ones are ready.
 */
export function plan(
  inference: InferenceService,
  present: Present,
  known: { model: KnownModel | undefined; replicas: number; access?: StorageAccess | undefined },
): InferencePlan {
  const storage = withReference(modelStorage(inference, known.access), known.model?.reference);
  const reference = storage?.reference ?? inference.spec?.predictor.model?.storageUri ?? '';
  const graph = takesWeights(inference) ? known.model?.graph : undefined;
  const target = targetOf(predictorTemplate(inference, storage), reference, graph);
  const predictor = planPredictor(inference, present, target, known.replicas);
  const wanted = componentsOf(inference);
  const companions = (['transformer', 'explainer'] as const).map((component) => {
    const template = wanted.includes(component) ? companionTemplate(inference, component) : undefined;
    return { component, name: componentName(inference, component), template };
  });
  const made = companions.flatMap(({ template, ...rest }) => (template ? [{ ...rest, template }] : []));
  const replicasOf = (component: 'transformer' | 'explainer') =>
    isStopped(inference) ? 0 : Math.max(1, inference.spec?.[component]?.minReplicas ?? 1);
  return {
    ...predictor,
    deployments: [
      ...predictor.deployments,
      ...made.map(({ component, name, template }) =>
        deploymentFor(inference, component, {
          name,
          template,
          replicas: replicasOf(component),
          annotations: { [templateAnnotation]: digestOf(template) },
        }),
      ),
    ],
    services: [
      ...predictor.services,
      ...made.map(({ component, name, template }) => {
        const annotations = component === 'transformer' ? explainPath(inference) : undefined;
        return serviceFor(inference, component, { name, template, ...(annotations && { annotations }) });
      }),
    ],
    drops: [...predictor.drops, ...companions.filter(({ template }) => !template).map(({ name }) => name)],
  };
}

function planPredictor(
  inference: InferenceService,
  present: Present,
  target: Target,
  replicas: number,
): InferencePlan {
  const { stable, canary, previous } = present;
  const percent = inference.spec?.predictor.canaryTrafficPercent ?? 100;
  const { latestRolledoutRevision } = inference.status?.components?.predictor ?? {};
  const toStable = stable && revisionOf(stable) ? differenceOf(stable, target, inference) : 'pods';
  const isBeside = canary !== undefined || toStable !== 'none' || previous !== undefined;
  // The first revision, and what followed on none that ever served, has nothing that it could be beside.
  const isCanary = percent < 100 && latestRolledoutRevision !== undefined && revisionOf(stable) !== undefined;
  return isCanary && isBeside
    ? planCanary(inference, present, target, { replicas, percent })
    : planRollout(inference, present, target, replicas);
}

/** The newest revision in pods of its own, with its share of the requests, beside the one that had them all before. */
function planCanary(
  inference: InferenceService,
  { stable, canary, previous }: Present,
  target: Target,
  { replicas, percent }: { replicas: number; percent: number },
): InferencePlan {
  const name = componentName(inference, 'predictor');
  const isKept = canary !== undefined && differenceOf(canary, target, inference) === 'none';
  const isStable = !canary && differenceOf(stable!, target, inference) === 'none';
  const latestRevision =
    (isKept && revisionOf(canary)) ||
    (isStable && revisionOf(stable)) ||
    nextOf(inference, { stable, canary });
  const isReady = isKept && hasBeenReady(inference, canary, latestRevision);
  const template = isKept ? withModelOf(target.template, canary) : target.template;
  const own = deploymentFor(inference, 'predictor', {
    name: canaryName(inference),
    template,
    replicas: isStopped(inference) ? 0 : Math.max(1, inference.spec?.predictor.minReplicas ?? 1),
    annotations: annotationsFor(target, latestRevision),
  });
  // A revision that had all requests already is taken back: the one before it comes back in its place.
  const isTakenBack = revisionOf(stable) === latestRevision && previous !== undefined;
  const kept = isTakenBack
    ? deploymentFor(inference, 'predictor', { ...previous, name, replicas })
    : withReplicas(stable!, replicas);
  return {
    deployments: [kept, own],
    services: [
      predictorService(inference, name, target.template, isReady ? percent : 0),
      predictorService(inference, canaryName(inference), target.template, 0),
    ],
    drops: [],
    canaryPercent: isReady ? percent : undefined,
    latestRevision,
  };
}

/** The newest revision in the place of the one before. A canary that has become it serves until its place is taken. */
function planRollout(
  inference: InferenceService,
  { stable, canary, isStableSwapped = true }: Present,
  target: Target,
  replicas: number,
): InferencePlan {
  const name = componentName(inference, 'predictor');
  const difference = stable && revisionOf(stable) ? differenceOf(stable, target, inference) : 'pods';
  const promoted = canary && differenceOf(canary, target, inference) === 'none' ? canary : undefined;
  const latestRevision =
    (difference === 'none' && revisionOf(stable)) ||
    revisionOf(promoted) ||
    nextOf(inference, { stable, canary });
  const wanted = deploymentFor(inference, 'predictor', {
    name,
    template: difference === 'pods' ? target.template : withModelOf(target.template, stable!),
    // What is new must show that it runs, also where nobody asks.
    replicas: difference === 'pods' && !isStopped(inference) ? Math.max(1, replicas) : replicas,
    annotations: {
      ...annotationsFor(target, latestRevision),
      ...(difference === 'weights' && noteBefore(stable!)),
    },
  });
  const isDone = difference === 'none' && isRolledOut(stable) && isStableSwapped;
  const serving =
    !isDone && promoted && hasBeenReady(inference, promoted, latestRevision) ? promoted : undefined;
  return {
    deployments: [wanted, ...(serving ? [serving] : [])],
    services: [
      predictorService(inference, name, target.template, serving ? 100 : 0),
      ...(serving ? [predictorService(inference, canaryName(inference), target.template, 0)] : []),
    ],
    drops: serving ? [] : [canaryName(inference)],
    canaryPercent: serving ? 100 : undefined,
    latestRevision,
  };
}

/** A revision that was ready once keeps its share: while it has no pod, the mesh gives that to the others. */
function hasBeenReady(inference: InferenceService, deployment: Deployment, revision: string): boolean {
  return isRolledOut(deployment) || inference.status?.components?.predictor?.latestReadyRevision === revision;
}

function nextOf(inference: InferenceService, { stable, canary }: Present): string {
  const { previousRolledoutRevision, latestCreatedRevision } = inference.status?.components?.predictor ?? {};
  const known = [revisionOf(stable), revisionOf(canary), previousRolledoutRevision, latestCreatedRevision];
  return nextRevision(componentName(inference, 'predictor'), known);
}

function withReplicas(deployment: Deployment, replicas: number): Deployment {
  return { ...deployment, spec: { ...deployment.spec!, replicas } };
}

function predictorService(
  inference: InferenceService,
  name: string,
  template: Template,
  canaryPercent: number,
): Service {
  const { minReplicas, timeout } = inference.spec!.predictor;
  const shares = [
    { service: componentName(inference, 'predictor'), percent: 100 - canaryPercent },
    { service: canaryName(inference), percent: canaryPercent },
  ];
  const annotations = {
    ...explainPath(inference),
    ...(canaryPercent > 0 && {
      [splitAnnotation]: JSON.stringify(shares.filter(({ percent }) => percent > 0)),
    }),
    ...(minReplicas === 0 &&
      !isStopped(inference) && { [holdAnnotation]: String(timeout ?? holdSecondsDefault) }),
  };
  return serviceFor(inference, 'predictor', { name, template, annotations });
}

/** KServe's V1 `:explain` is the explainer's, at whichever address the model has. */
function explainPath(inference: InferenceService): Record<string, string> | undefined {
  if (!inference.spec?.explainer) return undefined;
  const paths = [{ suffix: ':explain', service: componentName(inference, 'explainer') }];
  return { [pathsAnnotation]: JSON.stringify(paths) };
}

/** Whether what serves the model takes new weights while it runs: the built-in server does, unless it is told not to look. */
export function takesWeights({ spec }: InferenceService): boolean {
  const { model } = spec!.predictor;
  const looks =
    model?.env?.every(({ name, value }) => name !== 'MODEL_WATCH_MS' || Number(value) > 0) ?? true;
  return model !== undefined && isBuiltIn(model) && looks;
}
