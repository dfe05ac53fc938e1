import type { Pod } from '../../api/kinds/pod.ts';
import { type PodDisruptionBudget, podDisruptionBudget } from '../../api/kinds/podDisruptionBudget.ts';
import { labelSelector } from '../../api/label-selector.ts';
import { toTime } from '../../base/clock.ts';
import { isStatus, type Status, StatusError } from '../../base/errors.ts';
import { admitSubresource } from '../admission/subresource.ts';
import type { Call, Context } from '../context.ts';
import { badRequest, forbidden, notFound } from '../failures.ts';
import { isRecord, readDeleteOptions, readWriteOptions } from '../options.ts';
import { keyOf, objectOf, prefixOf, storedValueOf } from '../stored.ts';
import { deleteObject } from './delete.ts';
import { change } from './update.ts';

const conflictTriesMax = 32;
/** A budget that is behind is asked again after this. */
const retryAfterSeconds = 10;
/** Granted evictions that the controller has not seen yet; more are refused (Kubernetes has the same bound). */
export const disruptedPodsMax = 2000;
const refusal = "Cannot evict pod as it would violate the pod's disruption budget.";

/** Answers a POST of an Eviction: a deletion, if the pod's disruption budget allows it. */
export async function evict(context: Context, call: Call): Promise<Status> {
  const { body, query } = call.request;
  const name = call.info.name!;
  const asked = isRecord(body) ? body : {};
  const named = (asked.metadata as { name?: unknown } | undefined)?.name;
  if (named !== undefined && named !== name)
    throw badRequest('name in URL does not match name in Eviction object');
  const isTried =
    readWriteOptions(call.request).dryRun || readDeleteOptions(query, asked.deleteOptions ?? {}).dryRun;
  const form = { apiVersion: 'policy/v1', kind: 'Eviction' };
  const eviction = await admitSubresource(context, call, { form, body: asked, dryRun: isTried });
  const options = readDeleteOptions(query, eviction.deleteOptions ?? {});
  const dryRun = isTried || options.dryRun;
  const stored = context.store.get(keyOf(call.resource.kind, call.info.namespace, name));
  if (!stored) throw notFound(call.resource.kind, name);
  // What lies under the key of a pod is one.
  const pod = objectOf(stored) as Pod;
  if (!isFree(pod)) await spendBudget(context, pod, dryRun);
  if (!dryRun && !pod.metadata?.deletionTimestamp) await markEvicted(context, call);
  await deleteObject(context, call, name, { ...options, dryRun, isAdmitted: true });
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 };
}

/** Pods that serve nobody are outside every budget. */
function isFree({ metadata, status }: Pod): boolean {
  if (metadata?.deletionTimestamp) return true;
  return status?.phase === 'Succeeded' || status?.phase === 'Failed' || status?.phase === 'Pending';
}

/** Takes one disruption from the pod's budget; throws TooManyRequests when there is none left. */
async function spendBudget(context: Context, pod: Pod, dryRun: boolean): Promise<void> {
  for (let tries = 1; ; tries++) {
    const budgets = context.store
      .list(prefixOf(podDisruptionBudget, pod.metadata?.namespace ?? ''))
      .items.map((stored) => ({ stored, budget: objectOf(stored) as PodDisruptionBudget }))
      .filter(({ budget }) => labelSelector(budget.spec?.selector)(pod));
    if (budgets.length > 1) {
      const many =
        'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.';
      throw new StatusError('InternalError', many);
    }
    const [found] = budgets;
    if (!found || isFreeForUnready(pod, found.budget)) return;
    const next = spent(found.budget, pod.metadata?.name ?? '', context.clock.nowMs());
    if (dryRun) return;
    try {
      await context.store.update(found.stored.key, storedValueOf(next), found.stored.revision);
      return;
    } catch (error) {
      if (!isStatus(error, 'Conflict') || tries >= conflictTriesMax) throw error;
    }
  }
}

/** A pod that is not ready counts for nothing: it may go where the budget is met without it, or always. */
function isFreeForUnready({ status }: Pod, { spec, status: budget }: PodDisruptionBudget): boolean {
  if (status?.conditions?.some(({ type, status: holds }) => type === 'Ready' && holds === 'True'))
    return false;
  if (spec?.unhealthyPodEvictionPolicy === 'AlwaysAllow') return true;
  const { currentHealthy = 0, desiredHealthy = 0 } = budget ?? {};
  return desiredHealthy > 0 && currentHealthy >= desiredHealthy;
}

function spent(budget: PodDisruptionBudget, podName: string, nowMs: number): PodDisruptionBudget {
  const { metadata, status } = budget;
  const name = metadata?.name ?? '';
  if (!status || (status.observedGeneration ?? 0) < (metadata?.generation ?? 0)) {
    throw tooMany(`The disruption budget ${name} is still being processed by the server.`, retryAfterSeconds);
  }
  const { disruptionsAllowed = 0, desiredHealthy = 0, currentHealthy = 0, disruptedPods = {} } = status;
  if (Object.keys(disruptedPods).length > disruptedPodsMax) {
    throw forbidden(
      podDisruptionBudget,
      name,
      'DisruptedPods map too big - too many evictions not confirmed by PDB controller',
    );
  }
  if (disruptionsAllowed <= 0) {
    throw tooMany(
      `The disruption budget ${name} needs ${desiredHealthy} healthy pods and has ${currentHealthy} currently`,
    );
  }
  return {
    ...budget,
    status: {
      ...status,
      disruptionsAllowed: disruptionsAllowed - 1,
      disruptedPods: { ...disruptedPods, [podName]: toTime(nowMs) },
    },
  };
}

function tooMany(why: string, seconds?: number): StatusError {
  const causes = [{ reason: 'DisruptionBudget', message: why }];
  return new StatusError('TooManyRequests', refusal, {
    details: { causes, ...(seconds !== undefined && { retryAfterSeconds: seconds }) },
  });
}

/** So that a Job's failure policy, say, can tell an eviction from a failure. */
async function markEvicted(context: Context, call: Call): Promise<void> {
  const lastTransitionTime = toTime(context.clock.nowMs());
  await change(context, call, {
    part: 'status',
    dryRun: false,
    isAdmitted: true,
    next(current) {
      const { status } = current as Pod;
      const others = (status?.conditions ?? []).filter(({ type }) => type !== 'DisruptionTarget');
      const disrupted = {
        type: 'DisruptionTarget',
        status: 'True' as const,
        reason: 'EvictionByEvictionAPI',
        message: 'Eviction API: evicting',
        lastTransitionTime,
      };
      return { ...current, status: { ...status, conditions: [...others, disrupted] } } as Pod;
    },
  });
}
