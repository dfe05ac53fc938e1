import type { Deployment } from '../../api/kinds/deployment.ts';
import type { InferenceService, InferenceServiceStatus } from '../../api/kinds/inferenceService.ts';
import { canaryName, componentName, urlOf } from './names.ts';
import type { InferencePlan } from './plan.ts';
import { isRolledOut, revisionOf } from './revision.ts';

type PredictorStatus = NonNullable<NonNullable<InferenceServiceStatus['components']>[string]>;
type Traffic = NonNullable<PredictorStatus['traffic']>;

/** The predictor's revisions and their shares of the requests, as `kubectl get` shows them. */
export function revisionsOf(
  inference: InferenceService,
  observed: { plan: InferencePlan; stable?: Deployment | undefined; isLatestReady: boolean },
): PredictorStatus {
  const { plan, stable, isLatestReady } = observed;
  const { latestRevision, canaryPercent } = plan;
  const before: PredictorStatus = inference.status?.components?.predictor ?? {};
  const ready = isLatestReady ? latestRevision : before.latestReadyRevision;
  const whole = wholeOf(plan, stable, isLatestReady) ?? before.latestRolledoutRevision;
  const previous =
    before.latestRolledoutRevision && whole !== before.latestRolledoutRevision
      ? before.latestRolledoutRevision
      : before.previousRolledoutRevision;
  const isShared = canaryPercent !== undefined && canaryPercent < 100;
  return {
    url: urlOf(inference, componentName(inference, 'predictor')),
    latestCreatedRevision: latestRevision,
    ...(ready && { latestReadyRevision: ready }),
    ...(whole && { latestRolledoutRevision: whole }),
    ...(previous && { previousRolledoutRevision: previous }),
    traffic: isShared
      ? sharedTraffic(inference, plan, canaryPercent, prevOf(stable, before))
      : whole
        ? [{ revisionName: whole, percent: 100, latestRevision: true }]
        : [],
  };
}

/** The revision that has all requests now, where one has just got them. */
function wholeOf(
  { latestRevision, canaryPercent }: InferencePlan,
  stable: Deployment | undefined,
  isLatestReady: boolean,
): string | undefined {
  if (canaryPercent === 100) return latestRevision;
  const isStable = revisionOf(stable) === latestRevision ? isLatestReady : isRolledOut(stable);
  return isStable && (canaryPercent ?? 0) === 0 ? revisionOf(stable) : undefined;
}

function prevOf(stable: Deployment | undefined, before: PredictorStatus): string | undefined {
  return isRolledOut(stable) ? revisionOf(stable) : before.latestRolledoutRevision;
}

function sharedTraffic(
  inference: InferenceService,
  { latestRevision }: InferencePlan,
  percent: number,
  prev: string | undefined,
): Traffic {
  const url = urlOf(inference, canaryName(inference));
  return [
    { revisionName: latestRevision, percent, latestRevision: true, url },
    ...(prev ? [{ revisionName: prev, percent: 100 - percent, latestRevision: false, tag: 'prev' }] : []),
  ];
}
