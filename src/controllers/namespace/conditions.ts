import type { NamespaceCondition } from '../../api/kinds/namespace.ts';
import { toTime } from '../../base/clock.ts';

/** What of a namespace is not gone yet. */
export interface Remains {
  /** How many objects, by `plural.group`. */
  resources: Map<string, number>;
  /** How many objects a finalizer keeps. */
  finalizers: Map<string, number>;
  /** Why kinds could not be emptied. */
  failures: string[];
  /** Versions, as `group/version`, whose kinds could not be asked for. */
  unknown: string[];
}

type Said = Pick<NamespaceCondition, 'reason' | 'message'>;

/** What each condition says while nothing is wrong, in the order in which they stand. */
const fine: Record<string, Said> = {
  NamespaceDeletionDiscoveryFailure: {
    reason: 'ResourcesDiscovered',
    message: 'All resources successfully discovered',
  },
  NamespaceDeletionGroupVersionParsingFailure: {
    reason: 'ParsedGroupVersions',
    message: 'All legacy kube types successfully parsed',
  },
  NamespaceDeletionContentFailure: {
    reason: 'ContentDeleted',
    message: 'All content successfully deleted, may be waiting on finalization',
  },
  NamespaceContentRemaining: { reason: 'ContentRemoved', message: 'All content successfully removed' },
  NamespaceFinalizersRemaining: {
    reason: 'ContentHasNoFinalizers',
    message: 'All content-preserving finalizers finished',
  },
};

/** How far the deletion of a namespace is; a condition that says the same stays as it is. */
export function deletionConditions(
  before: readonly NamespaceCondition[],
  remains: Remains,
  nowMs: number,
): NamespaceCondition[] {
  const wrong = troubles(remains);
  const known = Object.keys(fine);
  const conditions = known.map((type): NamespaceCondition => {
    const status = wrong[type] ? ('True' as const) : ('False' as const);
    const current = before.find((each) => each.type === type);
    const isSame = current?.status === status && current.lastTransitionTime;
    const lastTransitionTime = isSame ? current.lastTransitionTime! : toTime(nowMs);
    return { type, status, lastTransitionTime, ...(wrong[type] ?? fine[type]!) };
  });
  return [...before.filter(({ type }) => !known.includes(type)), ...conditions];
}

function troubles({ resources, finalizers, failures, unknown }: Remains): Record<string, Said> {
  const list = (counts: Map<string, number>, say: (name: string, count: number) => string) =>
    [...counts]
      .map(([name, count]) => say(name, count))
      .sort()
      .join(', ');
  const left = list(resources, (name, count) => `${name} has ${count} resource instances`);
  const kept = list(finalizers, (name, count) => `${name} in ${count} resource instances`);
  const stale = unknown.map((version) => `${version}: stale GroupVersion discovery: ${version}`).sort();
  return {
    ...(stale.length > 0 && {
      NamespaceDeletionDiscoveryFailure: {
        reason: 'DiscoveryFailed',
        message: `Discovery failed for some groups, ${stale.length} failing: unable to retrieve the complete list of server APIs: ${stale.join(', ')}`,
      },
    }),
    ...(failures.length > 0 && {
      NamespaceDeletionContentFailure: {
        reason: 'ContentDeletionFailed',
        message: `Failed to delete all resource types, ${failures.length} remaining: ${[...failures].sort().join(', ')}`,
      },
    }),
    ...(resources.size > 0 && {
      NamespaceContentRemaining: {
        reason: 'SomeResourcesRemain',
        message: `Some resources are remaining: ${left}`,
      },
    }),
    ...(finalizers.size > 0 && {
      NamespaceFinalizersRemaining: {
        reason: 'SomeFinalizersRemain',
        message: `Some content in the namespace has finalizers remaining: ${kept}`,
      },
    }),
  };
}
