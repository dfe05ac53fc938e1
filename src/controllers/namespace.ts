import { isEqualSemantically } from '../api/equal.ts';
import type { KindDefinition } from '../api/kind.ts';
import { apiService } from '../api/kinds/apiService.ts';
import { type Namespace, namespace as namespaceKind } from '../api/kinds/namespace.ts';
import type { KindAddress, KubeObject } from '../api/object.ts';
import { isStatus, messageOf } from '../base/errors.ts';
import type { Running } from '../base/lifecycle.ts';
import { type Change, keyOf } from '../client/cache.ts';
import type { ServedKind } from '../client/client.ts';
import { isAggregated, isAvailable } from './aggregated-kinds.ts';
import { type Context, runController, type Source, source } from './controller.ts';
import { customKinds } from './custom-kinds.ts';
import { deletionConditions, type Remains } from './namespace/conditions.ts';
import { keyOfMeta } from './owner.ts';

const finalizer = 'kubernetes';
const pageItemsMax = 500;
/** What other API servers hold is not watched: a namespace that it keeps is looked at again after so long. */
const lookAgainMs = 5_000;

/** Empties namespaces that are being deleted, and then lets them go. */
export function run(context: Context, kinds: readonly KindDefinition[]): Running {
  const { client, clock, informers } = context;
  const namespaces = informers.of(namespaceKind);
  const services = informers.of(apiService);
  const contents: KindAddress[] = kinds.filter(
    ({ namespaced, storedAs, verbs }) => namespaced && !storedAs && verbs.includes('delete'),
  );
  const terminating = () =>
    namespaces
      .list()
      .filter(({ metadata }) => metadata?.deletionTimestamp)
      .map(keyOf);
  const isTerminating = (name: string) => Boolean(namespaces.get(name)?.metadata?.deletionTimestamp);

  async function reconcile(name: string): Promise<number | undefined> {
    const namespace = namespaces.get(name);
    if (!namespace?.metadata?.deletionTimestamp) return undefined;
    const remains: Remains = { resources: new Map(), finalizers: new Map(), failures: [], unknown: [] };
    let failure: unknown;
    const elsewhere = await kindsElsewhere(remains);
    for (const kind of [...contents, ...custom.kinds(), ...elsewhere]) {
      try {
        await empty(kind, name, remains);
      } catch (error) {
        failure ??= error;
        remains.failures.push(messageOf(error));
      }
    }
    const told = await tell(namespace, remains);
    if (failure) throw failure;
    if (remains.resources.size === 0 && remains.unknown.length === 0) {
      await finalize(told);
      return undefined;
    }
    // What is left ends by and by; its deletion calls us again, unless it is another server's.
    return elsewhere.length > 0 || remains.unknown.length > 0 ? lookAgainMs : undefined;
  }

  /** What other API servers serve in namespaces; a version that cannot be asked for its kinds keeps the namespace. */
  async function kindsElsewhere({ unknown }: Remains): Promise<ServedKind[]> {
    const found: ServedKind[] = [];
    for (const service of services.list().filter(isAggregated)) {
      const { group = '', version = '' } = service.spec ?? {};
      try {
        if (!isAvailable(service)) throw new Error('it is not available');
        found.push(...(await client.discover({ group, version })));
      } catch (error) {
        context.log.debug('a version is not discovered', { group, version, error: messageOf(error) });
        unknown.push(`${group}/${version}`);
      }
    }
    return found.filter(
      ({ namespaced, verbs }) => namespaced && verbs.includes('list') && verbs.includes('delete'),
    );
  }

  /** Deletes what there is of one kind and counts what is still there. Asks the server, not a cache. */
  async function empty(kind: KindAddress, namespace: string, remains: Remains): Promise<void> {
    const add = (counts: Map<string, number>, name: string) => counts.set(name, (counts.get(name) ?? 0) + 1);
    let next: string | undefined;
    do {
      const page = await client.list(kind, {
        namespace,
        limit: pageItemsMax,
        ...(next && { continue: next }),
      });
      for (const { metadata = {} } of page.items) {
        const key = keyOfMeta({ ...metadata, namespace });
        if (!metadata.deletionTimestamp) {
          await client.delete(kind, key, { propagationPolicy: 'Background' }).catch(ignoreGone);
          if (!(await isThere(kind, key))) continue;
        }
        add(remains.resources, `${kind.plural}.${kind.group}`);
        for (const finalizer of metadata.finalizers ?? []) add(remains.finalizers, finalizer);
      }
      next = page.metadata.continue;
    } while (next);
  }

  /** Says in the namespace's status how far its deletion is; answers the namespace as it is then. */
  async function tell(namespace: Namespace, remains: Remains): Promise<Namespace> {
    const { status } = namespace;
    const conditions = deletionConditions(status?.conditions ?? [], remains, clock.nowMs());
    if (isEqualSemantically(conditions, status?.conditions)) return namespace;
    const next: Namespace = { ...namespace, status: { ...status, conditions } };
    return client.update(namespaceKind, next, { subresource: 'status' });
  }

  /** Some objects go at once, others when their grace period or their finalizers are done. */
  async function isThere(
    kind: KindAddress,
    key: { namespace: string | undefined; name: string },
  ): Promise<boolean> {
    try {
      await client.get(kind, key);
      return true;
    } catch (error) {
      if (isStatus(error, 'NotFound')) return false;
      throw error;
    }
  }

  async function finalize(namespace: Namespace): Promise<void> {
    const finalizers = (namespace.spec?.finalizers ?? []).filter((each) => each !== finalizer);
    const emptied: Namespace = { ...namespace, spec: { finalizers } };
    await client.update(namespaceKind, emptied, { subresource: 'finalize' }).catch(ignoreGone);
  }

  const keysFor = ({ type, object }: Change<KubeObject>): string[] => {
    const { namespace = '' } = object.metadata ?? {};
    // Also what another controller made in the meantime, not knowing.
    return type !== 'modified' && isTerminating(namespace) ? [namespace] : [];
  };
  const custom = customKinds(
    (_, change) => keysFor(change),
    ({ namespaced }) => namespaced,
  );
  const followed = contents.filter(({ kind }) => kind !== 'Event');
  return runController(context, {
    name: 'namespace',
    sources: [
      source(namespaceKind, ({ object, key }) => (object.metadata?.deletionTimestamp ? [key] : [])),
      source(apiService, ({ object }) => (isAggregated(object) ? terminating() : [])),
      ...followed.map((kind): Source => source(kind, keysFor)),
      custom,
    ],
    reconcile,
  });
}

function ignoreGone(error: unknown): void {
  if (!isStatus(error, 'NotFound')) throw error;
}
