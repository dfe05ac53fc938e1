import { customKind } from '../../api/custom/custom-kind.ts';
import { isEqualJson } from '../../api/equal.ts';
import {
  type CustomResourceDefinition,
  customResourceDefinition as kind,
} from '../../api/kinds/customResourceDefinition.ts';
import { isStatus, messageOf, StatusError } from '../../base/errors.ts';
import type { Context, Resource } from '../context.ts';
import type { KindRegistry } from '../kind-registry.ts';
import type { ServiceDial } from '../service-dial.ts';
import { keyOf, prefixOf } from '../stored.ts';
import { deleteInstances } from './cleanup.ts';
import { cleanupFinalizer, isTrue, withCondition } from './conditions.ts';
import { Conversion } from './conversion.ts';
import { ConversionWebhook } from './conversion-webhook.ts';
import { ConvertedStore } from './converted-store.ts';
import { settle } from './settle.ts';

interface Served {
  definition: CustomResourceDefinition;
  conversion: Conversion;
  /** By version: ends its watches when it is no longer served. */
  ends: Map<string, AbortController>;
  resources: Resource[];
}

/**
 * Serves the kinds of the CustomResourceDefinitions in the store, from the start and as they come, change and go.
 * It ends with the store.
 */
export class CustomResources {
  readonly #context: Context;
  readonly #registry: KindRegistry;
  readonly #webhook: ConversionWebhook;
  readonly #served = new Map<string, Served>();
  readonly #cleaning = new Set<string>();

  constructor(context: Context, registry: KindRegistry, dialService: ServiceDial) {
    this.#context = context;
    this.#registry = registry;
    this.#webhook = new ConversionWebhook(dialService);
    for (const { value } of context.store.list(prefixOf(kind)).items)
      this.#serve(value as CustomResourceDefinition);
    void this.#follow();
  }

  async #follow(): Promise<void> {
    const { log } = this.#context;
    try {
      // Whoever falls too far behind has missed something, and looks at everything again.
      while ((await this.#followOnce()) === 'behind')
        log.warn('definitions of custom resources are read anew');
    } catch (error) {
      if (isStatus(error, 'ServiceUnavailable')) return;
      log.error('custom resources are no longer followed', { error: messageOf(error) });
    }
  }

  async #followOnce(): Promise<'behind' | 'ended'> {
    const { store } = this.#context;
    const { items, revision } = store.list(prefixOf(kind));
    const names = new Set([...this.#served.keys(), ...items.map(({ value }) => nameOf(value))]);
    for (const name of names) await this.#sync(name);
    try {
      for await (const { value } of store.watch(prefixOf(kind), { fromRevision: revision })) {
        const changed = value as CustomResourceDefinition;
        await this.#sync(nameOf(changed));
        // A name that became free may be what another one waits for.
        for (const other of this.#others(changed)) {
          if (!isTrue(other, 'NamesAccepted')) await this.#sync(nameOf(other));
        }
      }
      return 'ended';
    } catch (error) {
      if (isStatus(error, 'Expired')) return 'behind';
      throw error;
    }
  }

  /** Brings one definition's status up to date, and what is served of it. */
  async #sync(name: string): Promise<void> {
    const { store, clock, log } = this.#context;
    const key = keyOf(kind, undefined, name);
    try {
      const stored = store.get(key);
      if (!stored) return this.#withdraw(name);
      const definition = stored.value as CustomResourceDefinition;
      const status = settle(definition, {
        definitions: this.#others(definition),
        builtIn: this.#registry.builtInOf(definition.spec.group),
        nowMs: clock.nowMs(),
      });
      const settled = { ...definition, status };
      // Before anybody can read that it is established.
      this.#serve(settled);
      if (!isEqualJson(status, definition.status)) await store.update(key, settled, stored.revision);
      else if (isLeaving(definition)) this.#cleanUp(name);
    } catch (error) {
      // Whoever changed it in the meantime makes us come back.
      if (isStatus(error, 'Conflict') || isStatus(error, 'NotFound')) return;
      log.error('a CustomResourceDefinition could not be settled', { name, error: messageOf(error) });
    }
  }

  #others({ metadata, spec }: CustomResourceDefinition): CustomResourceDefinition[] {
    return this.#context.store
      .list(prefixOf(kind))
      .items.map(({ value }) => value as CustomResourceDefinition)
      .filter((other) => other.spec.group === spec.group && other.metadata?.name !== metadata?.name);
  }

  #serve(definition: CustomResourceDefinition): void {
    const { spec } = definition;
    if (!isTrue(definition, 'Established') || this.#registry.builtIn(spec.group, spec.names.plural)) return;
    const name = nameOf(definition);
    const before = this.#served.get(name);
    if (before && isServedAlike(before.definition, definition)) return;
    const conversion = before?.conversion ?? new Conversion(definition, this.#webhook);
    if (before) conversion.update(definition);
    const ends = new Map<string, AbortController>();
    for (const version of spec.versions) {
      if (version.served) ends.set(version.name, before?.ends.get(version.name) ?? new AbortController());
    }
    const resources = spec.versions.flatMap((version): Resource[] => {
      const end = ends.get(version.name);
      if (!end) return [];
      const made = customKind(definition, version);
      const at = {
        store: this.#context.store,
        prefix: prefixOf(made),
        version: version.name,
        ended: end.signal,
      };
      const strategy = isLeaving(definition) ? leavingStrategy : {};
      return [{ kind: made, strategy, store: new ConvertedStore(at, conversion) }];
    });
    this.#served.set(name, { definition, conversion, ends, resources });
    this.#registry.set(name, resources);
    for (const [version, end] of before?.ends ?? []) if (!ends.has(version)) end.abort();
  }

  #withdraw(name: string): void {
    const served = this.#served.get(name);
    if (!served) return;
    this.#served.delete(name);
    this.#registry.set(name, []);
    for (const end of served.ends.values()) end.abort();
  }

  /** Deletes the objects of a kind whose definition is being deleted, and lets the definition go. */
  #cleanUp(name: string): void {
    if (this.#cleaning.has(name)) return;
    this.#cleaning.add(name);
    void this.#emptyAndRelease(name)
      .catch((error: unknown) => {
        if (isStatus(error, 'ServiceUnavailable')) return;
        this.#context.log.error('objects of a deleted kind are left', { name, error: messageOf(error) });
      })
      .finally(() => this.#cleaning.delete(name));
  }

  async #emptyAndRelease(name: string): Promise<void> {
    const served = this.#served.get(name);
    const [plural = '', ...group] = name.split('.');
    const terminating = (status: 'True' | 'False', reason: string, message: string) =>
      this.#change(name, ({ metadata, ...rest }, nowMs) => ({
        ...rest,
        metadata: status === 'True' ? metadata : withoutFinalizer(metadata),
        status: withCondition(rest.status, nowMs, { type: 'Terminating', status, reason, message }),
      }));
    if (this.#registry.builtIn(group.join('.'), plural)) {
      return terminating(
        'False',
        'OverlappingBuiltInResource',
        'instances overlap with built-in resources in storage',
      );
    }
    if (!served) return terminating('False', 'NeverEstablished', 'resource was never established');
    await terminating('True', 'InstanceDeletionInProgress', 'CustomResource deletion is in progress');
    await deleteInstances(this.#context, served.resources, served.definition);
    await terminating('False', 'InstanceDeletionCompleted', 'removed all instances');
  }

  async #change(
    name: string,
    change: (definition: CustomResourceDefinition, nowMs: number) => CustomResourceDefinition,
  ): Promise<void> {
    const { store, clock } = this.#context;
    const key = keyOf(kind, undefined, name);
    for (;;) {
      const stored = store.get(key);
      if (!stored) return;
      const next = change(stored.value as CustomResourceDefinition, clock.nowMs());
      try {
        if (next.metadata?.finalizers?.length) await store.update(key, next, stored.revision);
        else await store.delete(key, stored.revision);
        return;
      } catch (error) {
        if (!isStatus(error, 'Conflict')) throw error;
      }
    }
  }
}

function nameOf(definition: object): string {
  return (definition as CustomResourceDefinition).metadata!.name!;
}

function isLeaving({ metadata }: CustomResourceDefinition): boolean {
  return metadata?.deletionTimestamp !== undefined && (metadata.finalizers ?? []).includes(cleanupFinalizer);
}

function isServedAlike(a: CustomResourceDefinition, b: CustomResourceDefinition): boolean {
  return (
    isLeaving(a) === isLeaving(b) &&
    isEqualJson(a.spec, b.spec) &&
    isEqualJson(a.status?.acceptedNames, b.status?.acceptedNames)
  );
}

function withoutFinalizer(
  metadata: CustomResourceDefinition['metadata'],
): CustomResourceDefinition['metadata'] {
  const finalizers = (metadata?.finalizers ?? []).filter((finalizer) => finalizer !== cleanupFinalizer);
  return { ...metadata, finalizers };
}

const leavingStrategy: Resource['strategy'] = {
  prepareCreate() {
    throw new StatusError(
      'MethodNotAllowed',
      'create not allowed while custom resource definition is terminating',
    );
  },
};
