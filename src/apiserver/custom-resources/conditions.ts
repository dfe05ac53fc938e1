import type {
  CustomResourceDefinition,
  CustomResourceDefinitionCondition,
  CustomResourceDefinitionStatus,
} from '../../api/kinds/customResourceDefinition.ts';
import { toTime } from '../../base/clock.ts';

/** Keeps a definition until the objects of its kind are gone. */
export const cleanupFinalizer = 'customresourcecleanup.apiextensions.k8s.io';

export type Condition = Omit<CustomResourceDefinitionCondition, 'lastTransitionTime'>;

export function conditionOf(
  { status }: CustomResourceDefinition,
  type: string,
): CustomResourceDefinitionCondition | undefined {
  return status?.conditions?.find((condition) => condition.type === type);
}

export function isTrue(definition: CustomResourceDefinition, type: string): boolean {
  return conditionOf(definition, type)?.status === 'True';
}

/** The status with a condition added or changed; the time is that of the last change of its status. */
export function withCondition(
  status: CustomResourceDefinitionStatus | undefined,
  nowMs: number,
  condition: Condition,
): CustomResourceDefinitionStatus {
  const { conditions = [] } = status ?? {};
  const held = conditions.find(({ type }) => type === condition.type);
  const isSame = held?.status === condition.status;
  const lastTransitionTime = (isSame && held?.lastTransitionTime) || toTime(nowMs);
  const next = { ...condition, lastTransitionTime };
  const others = held ? conditions.map((each) => (each === held ? next : each)) : [...conditions, next];
  return { ...status, conditions: others };
}
