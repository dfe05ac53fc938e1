import { isEqualSemantically } from '../api/equal.ts';
import type { KindDefinition } from '../api/kind.ts';
import type { Pod } from '../api/kinds/pod.ts';
import { resourceQuota as quotaKind, type ResourceQuota } from '../api/kinds/resourceQuota.ts';
import type { KindAddress, KubeObject } from '../api/object.ts';
import { hasPodEnded } from '../api/pod-ended.ts';
import { addQuantities } from '../api/quantity.ts';
import { isInScope } from '../api/quota/scopes.ts';
import { type Amounts, isNameOf, usageOf } from '../api/quota/usage.ts';
import { isStatus } from '../base/errors.ts';
import type { Running } from '../base/lifecycle.ts';
import type { Change } from '../client/cache.ts';
import { keyOf } from '../client/cache.ts';
import { type Context, runController, source } from './controller.ts';
import { customKinds } from './custom-kinds.ts';
import { writeStatus } from './write-status.ts';

/** What no change tells of, such as a pod that should be gone by now, is counted after this at the latest. */
const recountMs = 5 * 60_000;

/**
 * Counts what each ResourceQuota's namespace holds: when the quota is new or changed, and when something goes that it
 * counts. What comes is charged by admission, before it is stored.
 */
export function run(context: Context, kinds: readonly KindDefinition[]): Running {
  const { client, clock, informers } = context;
  const quotas = informers.of(quotaKind);
  const counted = kinds.filter(
    ({ namespaced, storedAs, verbs }) => namespaced && !storedAs && verbs.includes('watch'),
  );

  const keysFor = (kind: KindAddress) => (change: Change<KubeObject>) => {
    if (!frees(kind, change)) return [];
    return quotas
      .byIndex('namespace', change.object.metadata?.namespace ?? '')
      .filter(({ spec }) => Object.keys(spec?.hard ?? {}).some((name) => isNameOf(kind, name)))
      .map(keyOf);
  };

  // Beside what was built in.
  const custom = customKinds(
    (kind, change) => keysFor(kind)(change),
    ({ namespaced }) => namespaced,
  );

  async function reconcile(key: string): Promise<number | undefined> {
    const [namespace = '', name = ''] = key.split('/');
    try {
      // Read before what it counts: a charge in between is a newer version, and this count is not written.
      const quota = await client.get(quotaKind, { namespace, name });
      const hard = quota.spec?.hard ?? {};
      await writeStatus(client, quotaKind, quota, { hard, used: await count(quota, Object.keys(hard)) });
    } catch (error) {
      if (isStatus(error, 'NotFound')) return undefined;
      throw error;
    }
    return recountMs;
  }

  async function count(quota: ResourceQuota, names: readonly string[]): Promise<Amounts> {
    const used: Amounts = Object.fromEntries(names.map((name) => [name, '0']));
    const namespace = quota.metadata?.namespace;
    const all: readonly KindAddress[] = [...counted, ...custom.kinds()];
    for (const kind of all.filter((each) => names.some((name) => isNameOf(each, name)))) {
      // The server's word, not the cache's: what is not counted could be taken twice.
      const { items } = await client.list(kind, { namespace });
      for (const object of items.filter((each) => isInScope(quota, kind, each))) {
        for (const [name, amount] of Object.entries(usageOf(kind, object, clock.nowMs()))) {
          if (used[name] !== undefined) used[name] = addQuantities(used[name], amount);
        }
      }
    }
    return used;
  }

  return runController(context, {
    name: 'resource-quota',
    sources: [
      source(quotaKind, (change) => (needsCount(change) ? [change.key] : [])),
      ...counted.map((kind) => source(kind, keysFor(kind))),
      custom,
    ],
    reconcile,
  });
}

function needsCount(change: Change<ResourceQuota>): boolean {
  if (change.type === 'deleted') return false;
  if (change.type === 'added') return true;
  return !isEqualSemantically(change.object.spec, change.previous.spec) || !change.object.status?.hard;
}

/** Whether the change leaves more room than there was. */
function frees(kind: KindAddress, change: Change<KubeObject>): boolean {
  if (change.type === 'deleted') return true;
  if (change.type !== 'modified' || kind.group !== '') return false;
  if (kind.plural === 'pods')
    return hasPodEnded(change.object as Pod) && !hasPodEnded(change.previous as Pod);
  return kind.plural === 'services' || kind.plural === 'persistentvolumeclaims';
}
