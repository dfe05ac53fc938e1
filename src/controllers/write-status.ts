import { isEqualSemantically } from '../api/equal.ts';
import type { KindAddress, KubeObject } from '../api/object.ts';
import type { Client } from '../client/client.ts';

type WithStatus = KubeObject & { readonly status?: unknown };

/** Writes `status` if it says something new; every write wears flash and crosses links. Answers whether it wrote. */
export async function writeStatus<T extends WithStatus>(
  client: Client,
  kind: KindAddress<T>,
  object: T,
  status: T['status'],
): Promise<boolean> {
  if (isEqualSemantically(object.status, status)) return false;
  await client.update(kind, { ...object, status }, { subresource: 'status' });
  return true;
}

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly lastTransitionTime?: string;
}

/** `conditions` with `next` in its place; the transition time moves only when the status does. */
export function withCondition<C extends Condition>(conditions: readonly C[], next: C): C[] {
  const current = conditions.find(({ type }) => type === next.type);
  const dated =
    current?.status === next.status && current.lastTransitionTime
      ? { ...next, lastTransitionTime: current.lastTransitionTime }
      : next;
  if (!current) return [...conditions, dated];
  return conditions.map((condition) => (condition === current ? dated : condition));
}
