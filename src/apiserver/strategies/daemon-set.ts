import { isEqualSemantically } from '../../api/equal.ts';
import type { DaemonSet } from '../../api/kinds/daemonSet.ts';
import type { Strategy } from './strategy.ts';

const generationAnnotation = 'deprecated.daemonset.template.generation';

/** Counts the changes of the template in an annotation, which stands for a field that `apps/v1` no longer has. */
export const daemonSetStrategy: Strategy<DaemonSet> = {
  presume: beginGeneration,
  prepareCreate: beginGeneration,
  prepareUpdate(next, previous) {
    const before = previous.metadata?.annotations?.[generationAnnotation] ?? '1';
    const isSame = isEqualSemantically(next.spec?.template, previous.spec?.template);
    setGeneration(next, isSame ? before : String(Number(before) + 1));
  },
};

function beginGeneration(set: DaemonSet): void {
  setGeneration(set, set.metadata?.annotations?.[generationAnnotation] ?? '1');
}

function setGeneration(set: DaemonSet, generation: string): void {
  set.metadata = {
    ...set.metadata,
    annotations: { ...set.metadata?.annotations, [generationAnnotation]: generation },
  };
}
