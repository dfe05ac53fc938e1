/** The part of an object that its conditions are in, whatever its kind. */
interface Conditional<C> {
  status?: { conditions?: readonly C[] | undefined } | undefined;
}

/** The condition of this type, if the object has it. */
export function conditionOf<C extends { type: string }>(object: Conditional<C>, type: string): C | undefined {
  return object.status?.conditions?.find((condition) => condition.type === type);
}

/** Whether the object has this condition and it is `True`; `Unknown` and an absent one are not. */
export function isConditionTrue(
  object: Conditional<{ type: string; status: string }>,
  type: string,
): boolean {
  return conditionOf(object, type)?.status === 'True';
}
