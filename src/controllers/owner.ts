import {
  apiVersionOf,
  type KindAddress,
  type KubeObject,
  type ObjectMeta,
  type OwnerReference,
} from '../api/object.ts';
import { isStatus } from '../base/errors.ts';
import type { Client } from '../client/client.ts';

/** The one owner that manages the object, if any. */
export function controllerOf({ metadata }: KubeObject): OwnerReference | undefined {
  return metadata?.ownerReferences?.find(({ controller }) => controller);
}

/** The reference with which `owner` manages what it makes. */
export function controllerReference(kind: KindAddress, owner: KubeObject): OwnerReference {
  const { name = '', uid = '' } = owner.metadata ?? {};
  return {
    apiVersion: apiVersionOf(kind),
    kind: kind.kind,
    name,
    uid,
    controller: true,
    blockOwnerDeletion: true,
  };
}

export function isControlledBy(object: KubeObject, owner: KubeObject): boolean {
  return controllerOf(object)?.uid === owner.metadata?.uid;
}

export function keyOfMeta({ namespace, name = '' }: ObjectMeta): {
  namespace: string | undefined;
  name: string;
} {
  return { namespace, name };
}

/**
 * Those of `candidates` that are `owner`'s: what it controls and selects stays, what it no longer selects is
 * let go, and what it selects and nobody controls is taken in.
 */
export async function claim<O extends KubeObject, T extends KubeObject>(options: {
  client: Client;
  owner: O;
  ownerKind: KindAddress<O>;
  kind: KindAddress<T>;
  candidates: readonly T[];
  isSelected: (object: T) => boolean;
  /** Given to what is taken in. */
  finalizers?: readonly string[];
}): Promise<T[]> {
  const { client, owner, ownerKind, kind, candidates, isSelected, finalizers } = options;
  const claimed: T[] = [];
  for (const object of candidates) {
    const controller = controllerOf(object);
    if (controller && controller.uid !== owner.metadata?.uid) continue;
    if (controller) {
      if (isSelected(object)) claimed.push(object);
      else if (!owner.metadata?.deletionTimestamp) await release(client, kind, object, owner);
    } else if (
      isSelected(object) &&
      !object.metadata?.deletionTimestamp &&
      !owner.metadata?.deletionTimestamp
    ) {
      if (await isStillThere(client, ownerKind, owner)) {
        const ownerReferences = [controllerReference(ownerKind, owner)];
        const metadata = { uid: object.metadata?.uid, ownerReferences, ...(finalizers && { finalizers }) };
        const patch = { type: 'strategic', body: { metadata } } as const;
        claimed.push(await client.patch(kind, keyOfMeta(object.metadata ?? {}), patch));
      }
    }
  }
  return claimed;
}

/** The cache may not know yet that the owner is being deleted or was replaced; then it must not adopt. */
async function isStillThere<O extends KubeObject>(
  client: Client,
  kind: KindAddress<O>,
  owner: O,
): Promise<boolean> {
  try {
    const live = await client.get(kind, keyOfMeta(owner.metadata ?? {}));
    return live.metadata?.uid === owner.metadata?.uid && !live.metadata?.deletionTimestamp;
  } catch (error) {
    if (isStatus(error, 'NotFound')) return false;
    throw error;
  }
}

async function release<T extends KubeObject>(
  client: Client,
  kind: KindAddress<T>,
  object: T,
  owner: KubeObject,
): Promise<void> {
  const ownerReferences = [{ $patch: 'delete', uid: owner.metadata?.uid }];
  const body = { metadata: { uid: object.metadata?.uid, ownerReferences } };
  try {
    await client.patch(kind, keyOfMeta(object.metadata ?? {}), { type: 'strategic', body });
  } catch (error) {
    // Gone or remade meanwhile: there is nothing to let go.
    if (!isStatus(error, 'NotFound') && !isStatus(error, 'Invalid') && !isStatus(error, 'Conflict'))
      throw error;
  }
}
