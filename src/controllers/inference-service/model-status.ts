import type { Deployment } from '../../api/kinds/deployment.ts';
import type { InferenceService, InferenceServiceStatus } from '../../api/kinds/inferenceService.ts';
import type { Pod } from '../../api/kinds/pod.ts';
import { toTime } from '../../base/clock.ts';
import type { InferencePlan } from './plan.ts';
import type { Refusal } from './refusal.ts';

type ModelStatus = NonNullable<InferenceServiceStatus['modelStatus']>;
type ContainerStatus = NonNullable<NonNullable<Pod['status']>['containerStatuses']>[number];

/** What keeps a pod from serving its model. */
export interface Failure {
  message: string;
  exitCode?: number | undefined;
  /** The pod. */
  location: string;
}

const fatalReasons = [
  'CrashLoopBackOff',
  'ErrImagePull',
  'ImagePullBackOff',
  'InvalidImageName',
  'CreateContainerError',
  'CreateContainerConfigError',
];

/** What a pod of the Deployment fails of, if one does. */
export function failureOf(pods: readonly Pod[], deployment: Deployment | undefined): Failure | undefined {
  const app = deployment?.spec?.selector.matchLabels?.app;
  for (const { metadata, status } of pods) {
    if (metadata?.labels?.app !== app || metadata?.deletionTimestamp) continue;
    for (const each of [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])]) {
      const failure = failureOfContainer(each);
      if (failure) return { ...failure, location: metadata?.name ?? '' };
    }
  }
  return undefined;
}

/** A container that is started again and again fails also while it happens to run. */
function failureOfContainer({
  ready,
  state,
  lastState,
}: ContainerStatus): Omit<Failure, 'location'> | undefined {
  if (ready) return undefined;
  const ended = [state?.terminated, lastState?.terminated].find((each) => each && each.exitCode !== 0);
  const isFatal = fatalReasons.includes(state?.waiting?.reason ?? '');
  if (!ended && !isFatal) return undefined;
  const { message, reason } = state?.waiting ?? {};
  const told = ended?.message?.trim() || message || reason || ended?.reason || '';
  return { message: told, ...(ended && { exitCode: ended.exitCode }) };
}

export function modelStatusOf(
  inference: InferenceService,
  observed: {
    plan: InferencePlan;
    stable?: Deployment | undefined;
    canary?: Deployment | undefined;
    isLatestReady: boolean;
    failure: Failure | undefined;
    nowMs: number;
  },
): ModelStatus {
  const { plan, stable, canary, isLatestReady, failure, nowMs } = observed;
  const copies = [stable, canary].reduce((sum, each) => sum + (each?.status?.availableReplicas ?? 0), 0);
  const active = copies > 0 ? 'Loaded' : isLatestReady ? 'Standby' : 'Pending';
  const target = failure ? 'FailedToLoad' : copies > 0 ? 'Loading' : 'Pending';
  const transition = failure ? 'BlockedByFailedLoad' : 'InProgress';
  return {
    states: { activeModelState: active, targetModelState: isLatestReady ? active : target },
    transitionStatus: isLatestReady ? 'UpToDate' : transition,
    copies: { totalCopies: copies, failedCopies: failure ? 1 : 0 },
    ...(failure && { lastFailureInfo: failureInfo(inference, failure, plan.latestRevision, nowMs) }),
  };
}

function failureInfo(inference: InferenceService, failure: Failure, revision: string, nowMs: number) {
  const before = inference.status?.modelStatus?.lastFailureInfo;
  const isSame = before?.modelRevisionName === revision && before.message === failure.message;
  return {
    reason: 'ModelLoadFailed',
    message: failure.message,
    location: failure.location,
    modelRevisionName: revision,
    time: isSame && before.time ? before.time : toTime(nowMs),
    ...(failure.exitCode !== undefined && { exitCode: failure.exitCode }),
  };
}

export function refusedModel(
  { metadata, status }: InferenceService,
  { reason, message }: Refusal,
): ModelStatus {
  const active = status?.modelStatus?.states?.activeModelState ?? 'Pending';
  return {
    states: { activeModelState: active, targetModelState: 'FailedToLoad' },
    transitionStatus: 'InvalidSpec',
    lastFailureInfo: { reason, message, location: metadata?.name ?? '' },
  };
}
