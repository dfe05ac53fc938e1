import { isEqualSemantically } from '../api/equal.ts';
import {
  type ControllerRevision,
  controllerRevision as revisionKind,
} from '../api/kinds/controllerRevision.ts';
import type { KindAddress, KubeObject } from '../api/object.ts';
import type { PodTemplateSpec } from '../api/parts/podSpec.ts';
import { isStatus } from '../base/errors.ts';
import type { Client } from '../client/client.ts';
import type { Informer } from '../client/informer.ts';
import { templateHash } from './deployment/template.ts';
import { claim, controllerReference, isControlledBy, keyOfMeta } from './owner.ts';

export const revisionHashLabel = 'controller-revision-hash';
/** StatefulSets call the same by another name on their revisions, though not on their pods. */
const statefulHashLabel = 'controller.kubernetes.io/hash';

/** Something with a template whose earlier states are kept. */
export type Revised = KubeObject & {
  spec?: { template?: PodTemplateSpec; revisionHistoryLimit?: number };
  status?: { collisionCount?: number };
};

/** The name of a revision was taken by another template: the owner's `collisionCount` must grow. */
export class RevisionCollision extends Error {}

/** The owner's revisions; those that a deleted owner left behind are taken in. */
export function ownedRevisions<O extends Revised>(
  client: Client,
  owner: O,
  ownerKind: KindAddress<O>,
  {
    revisions,
    isSelected,
  }: { revisions: Informer<ControllerRevision>; isSelected(object: KubeObject): boolean },
): Promise<ControllerRevision[]> {
  const { uid = '', namespace = '' } = owner.metadata ?? {};
  const candidates = [...revisions.byIndex('owner', uid), ...revisions.byIndex('orphan', namespace)];
  return claim({ client, owner, ownerKind, kind: revisionKind, candidates, isSelected });
}

/** What brings the template back: kubectl patches the owner with it on a rollback. */
export function revisionData({ spec }: Revised): object {
  return { spec: { template: { ...spec?.template, $patch: 'replace' } } };
}

/** The revision of the owner's template, if there is one: its number, should that not be the newest, is wrong still. */
export function findRevision(
  owner: Revised,
  owned: readonly ControllerRevision[],
): ControllerRevision | undefined {
  const data = revisionData(owner);
  return newestLast(owned.filter((each) => isEqualSemantically(each.data, data))).at(-1);
}

export function newestLast(revisions: readonly ControllerRevision[]): ControllerRevision[] {
  return [...revisions].sort(
    (a, b) => a.revision - b.revision || (a.metadata?.name ?? '').localeCompare(b.metadata?.name ?? ''),
  );
}

export function newRevision(owner: Revised, ownerKind: KindAddress, number: number): ControllerRevision {
  const { name = '', namespace = '', annotations } = owner.metadata ?? {};
  const hash = templateHash(owner.spec?.template, owner.status?.collisionCount);
  const label = ownerKind.kind === 'StatefulSet' ? statefulHashLabel : revisionHashLabel;
  const labels = { ...owner.spec?.template?.metadata?.labels, [label]: hash };
  return {
    metadata: {
      name: `${name}-${hash}`,
      namespace,
      labels,
      ...(annotations && { annotations }),
      ownerReferences: [controllerReference(ownerKind, owner)],
    },
    data: revisionData(owner),
    revision: number,
  };
}

/** Makes sure that the owner's template is the newest revision, and answers that one. */
export async function keepRevision(
  client: Client,
  owner: Revised,
  ownerKind: KindAddress,
  owned: readonly ControllerRevision[],
): Promise<ControllerRevision> {
  const newest = newestLast(owned).at(-1)?.revision ?? 0;
  const found = findRevision(owner, owned);
  if (found?.revision === newest) return found;
  if (found) return client.update(revisionKind, { ...found, revision: newest + 1 });
  const wanted = newRevision(owner, ownerKind, newest + 1);
  try {
    return await client.create(revisionKind, wanted);
  } catch (error) {
    if (!isStatus(error, 'AlreadyExists')) throw error;
    const present = await client.get(revisionKind, keyOfMeta(wanted.metadata ?? {}));
    // Ours already, only our cache does not have it yet.
    if (isControlledBy(present, owner) && isEqualSemantically(present.data, wanted.data)) return present;
    throw new RevisionCollision(`the name ${wanted.metadata?.name} is taken by another revision`);
  }
}

/**
 * Revisions beyond `spec.revisionHistoryLimit` that no pod is of, oldest first. With `countsLive` those that pods are of
 * take up places too.
 */
export function surplusRevisions(
  owner: Revised,
  owned: readonly ControllerRevision[],
  isLive: (revision: ControllerRevision) => boolean,
  { countsLive = false } = {},
): ControllerRevision[] {
  const limit = owner.spec?.revisionHistoryLimit ?? 10;
  const idle = newestLast(owned).filter((each) => !isLive(each));
  const kept = countsLive ? owned.length - 1 : idle.length;
  return idle.slice(0, Math.max(0, kept - limit));
}

export async function removeRevisions(client: Client, surplus: readonly ControllerRevision[]): Promise<void> {
  for (const { metadata = {} } of surplus) {
    const { uid = '' } = metadata;
    await client
      .delete(revisionKind, keyOfMeta(metadata), { preconditions: { uid } })
      .catch((error: unknown) => {
        if (!isStatus(error, 'NotFound') && !isStatus(error, 'Conflict')) throw error;
      });
  }
}
