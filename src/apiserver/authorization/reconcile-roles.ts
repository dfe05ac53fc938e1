import { isEqualSemantically } from '../../api/equal.ts';
import { type ClusterRole, clusterRole } from '../../api/kinds/clusterRole.ts';
import { type ClusterRoleBinding, clusterRoleBinding } from '../../api/kinds/clusterRoleBinding.ts';
import { type Role, role } from '../../api/kinds/role.ts';
import { type RoleBinding, roleBinding } from '../../api/kinds/roleBinding.ts';
import type { KindAddress, KubeObject } from '../../api/object.ts';
import { isStatus } from '../../base/errors.ts';
import type { Client } from '../../client/client.ts';
import { createClient } from '../../client/create-client.ts';
import type { Transport } from '../../client/transport.ts';
import {
  autoUpdate,
  defaultClusterRoleBindings,
  defaultClusterRoles,
  systemRoleBindings,
  systemRoles,
} from './default-roles.ts';
import { missingRules } from './policy-rule.ts';

/**
 * Makes the default roles and bindings, and gives back to present ones what they lack: rules, subjects, labels. What
 * was added to them stays. One with the annotation `rbac.authorization.kubernetes.io/autoupdate: "false"` is left alone.
 */
export async function reconcileDefaultRoles(transport: Transport): Promise<void> {
  const client = createClient(transport);
  await Promise.all([
    reconcileAll(client, clusterRole, defaultClusterRoles(), completeRole),
    reconcileAll(client, clusterRoleBinding, defaultClusterRoleBindings(), completeBinding),
  ]);
}

/** The same for those in the namespace `kube-system`, which must be there. */
export async function reconcileSystemRoles(transport: Transport): Promise<void> {
  const client = createClient(transport);
  await Promise.all([
    reconcileAll(client, role, systemRoles(), completeRole),
    reconcileAll(client, roleBinding, systemRoleBindings(), completeBinding),
  ]);
}

async function reconcileAll<T extends KubeObject>(
  client: Client,
  kind: KindAddress<T>,
  wanted: readonly T[],
  complete: (present: T, wanted: T) => T,
): Promise<void> {
  const namespace = wanted[0]?.metadata?.namespace;
  const listed = await client.list(kind, { ...(namespace && { namespace }) });
  const present = new Map(listed.items.map((one) => [one.metadata!.name, one]));
  await Promise.all(wanted.map((one) => reconcile(client, kind, one, { present, complete })));
}

async function reconcile<T extends KubeObject>(
  client: Client,
  kind: KindAddress<T>,
  wanted: T,
  { present, complete }: { present: Map<string | undefined, T>; complete: (present: T, wanted: T) => T },
): Promise<void> {
  const name = wanted.metadata!.name!;
  const before = present.get(name);
  if (!before) {
    await client.create(kind, wanted).catch((error: unknown) => {
      if (!isStatus(error, 'AlreadyExists')) throw error;
    });
    return;
  }
  if (before.metadata?.annotations?.[autoUpdate] === 'false') return;
  const next = complete({ ...before, metadata: completeMetadata(before, wanted) }, wanted);
  if (isEqualSemantically(next, before)) return;
  if (!isRoleChanged(next, before)) {
    await client.update(kind, next);
    return;
  }
  await client.delete(kind, { namespace: wanted.metadata!.namespace, name });
  await client.create(kind, wanted);
}

function completeMetadata(present: KubeObject, wanted: KubeObject): NonNullable<KubeObject['metadata']> {
  const { metadata } = present;
  return {
    ...metadata,
    labels: { ...wanted.metadata!.labels, ...metadata!.labels },
    annotations: { ...wanted.metadata!.annotations, ...metadata!.annotations },
  };
}

/** The rules of an aggregated role are its controller's. */
function completeRole<R extends ClusterRole | Role>(present: R, wanted: R): R {
  const { aggregationRule } = wanted as ClusterRole;
  if (aggregationRule)
    return { ...present, aggregationRule: (present as ClusterRole).aggregationRule ?? aggregationRule };
  const held = present.rules ?? [];
  const missing = (wanted.rules ?? []).filter((rule) => missingRules(held, [rule])?.length !== 0);
  return { ...present, rules: [...held, ...missing] };
}

function completeBinding<B extends ClusterRoleBinding | RoleBinding>(present: B, wanted: B): B {
  const held = present.subjects ?? [];
  const missing = (wanted.subjects ?? []).filter(
    (one) => !held.some((other) => isEqualSemantically(one, other)),
  );
  return { ...present, roleRef: wanted.roleRef, subjects: [...held, ...missing] };
}

/** A binding's role cannot be changed: such a binding is made anew. */
function isRoleChanged(next: KubeObject, before: KubeObject): boolean {
  const roleOf = (object: KubeObject) => (object as Partial<ClusterRoleBinding>).roleRef;
  return !isEqualSemantically(roleOf(next), roleOf(before));
}
