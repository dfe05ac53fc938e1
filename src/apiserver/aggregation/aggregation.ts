import { isEqualJson } from '../../api/equal.ts';
import { type APIService, apiService as kind } from '../../api/kinds/apiService.ts';
import { endpoints as endpointsKind } from '../../api/kinds/endpoints.ts';
import { service as serviceKind } from '../../api/kinds/service.ts';
import { toTime } from '../../base/clock.ts';
import { isStatus, messageOf } from '../../base/errors.ts';
import type { Gauge, Metrics } from '../../base/metrics.ts';
import type { Context } from '../context.ts';
import { keptAlive, type PooledUpstream } from '../proxy/keep-alive.ts';
import { keyOf, prefixOf } from '../stored.ts';
import { check, type Finding } from './check.ts';
import { type Reach, remoteOf } from './remote.ts';
import { type RemoteVersion, readResources } from './remote-discovery.ts';

/** A server that is well is asked again after so long, and one that is not sooner at first: Kubernetes' own times. */
export const recheckMs = 30_000;
const retryMinMs = 100;

/** An APIService whose requests are passed on. */
export interface Remote {
  service: APIService;
  upstream: PooledUpstream;
  isAvailable: boolean;
}

interface Watched extends Remote {
  resources: readonly object[] | undefined;
  isFresh: boolean;
  failures: number;
  isChecking: boolean;
  /** Something changed while it was being checked. */
  isDirty: boolean;
  cancel: () => void;
}

/**
 * Follows the APIServices in the store: whose requests go to other API servers, whether those can be asked, and what
 * they serve. It ends with the store.
 */
export class Aggregation {
  readonly #context: Context;
  readonly #reach: Reach;
  readonly #unavailable: Gauge;
  /** By `group/version`. */
  readonly #remotes = new Map<string, Watched>();
  #revision = 0;
  #followsBackends = false;
  #isClosed = false;

  constructor(context: Context, reach: Reach, metrics: Metrics) {
    this.#context = context;
    this.#reach = reach;
    this.#unavailable = metrics.gauge(
      'aggregator_unavailable_apiservice',
      'Whether an APIService cannot be asked at the moment.',
    );
    for (const { value } of context.store.list(prefixOf(kind)).items) this.#take(value as APIService);
    void this.#follow(prefixOf(kind), (name) => this.#sync(name));
  }

  /** Grows with every change of what others serve. */
  get revision(): number {
    return this.#revision;
  }

  /** Who answers a path, where that is not this server. */
  find(path: string): Remote | undefined {
    if (this.#remotes.size === 0) return undefined;
    const [root, group = '', version = ''] = path.split('/').slice(1);
    if (root === 'api') return this.#remotes.get(`/${group}`);
    return root === 'apis' ? this.#remotes.get(`${group}/${version}`) : undefined;
  }

  /** All of them, by `group/version`. */
  get remotes(): ReadonlyMap<string, Remote> {
    return this.#remotes;
  }

  versions(): RemoteVersion[] {
    return [...this.#remotes.values()].map(({ service, resources, isFresh }) => {
      const { group = '', version = '', groupPriorityMinimum = 0, versionPriority = 0 } = service.spec ?? {};
      const freshness = isFresh ? 'Current' : 'Stale';
      const groupPriority = groupPriorityMinimum;
      return { group, version, resources: resources ?? [], freshness, groupPriority, versionPriority };
    });
  }

  /** How an APIService ranks a version; undefined where there is none. */
  priorityOf(group: string, version: string): { group: number; version: number } | undefined {
    const stored = this.#context.store.get(keyOf(kind, undefined, `${version}.${group}`));
    const spec = (stored?.value as APIService | undefined)?.spec;
    return spec && { group: spec.groupPriorityMinimum ?? 0, version: spec.versionPriority ?? 0 };
  }

  async #follow(
    prefix: string,
    changed: (name: string, namespace: string) => void,
    concerns: (event: { key: string }) => boolean = () => true,
  ): Promise<void> {
    const { log, store } = this.#context;
    for (;;) {
      try {
        const { items, revision } = store.list(prefix);
        for (const { key } of items) changed(...nameIn(key));
        for await (const { key } of store.watch(prefix, { fromRevision: revision, concerns }))
          changed(...nameIn(key));
        return this.#close();
      } catch (error) {
        // Whoever falls too far behind has missed something, and looks at everything again.
        if (isStatus(error, 'Expired')) continue;
        if (!isStatus(error, 'ServiceUnavailable'))
          log.error('APIServices are no longer followed', { error: messageOf(error) });
        return this.#close();
      }
    }
  }

  #close(): void {
    this.#isClosed = true;
    for (const { cancel, upstream } of this.#remotes.values()) {
      cancel();
      upstream.close();
    }
  }

  #sync(name: string): void {
    const stored = this.#context.store.get(keyOf(kind, undefined, name));
    if (stored) this.#take(stored.value as APIService);
    else for (const [at, { service }] of this.#remotes) if (service.metadata!.name === name) this.#drop(at);
  }

  #take(service: APIService): void {
    const { spec } = service;
    const at = `${spec?.group ?? ''}/${spec?.version ?? ''}`;
    const held = this.#remotes.get(at);
    if (!spec?.service) {
      if (held) this.#drop(at);
      if (availableOf(service)?.reason !== 'Local') void this.#tell(service, local);
      return;
    }
    const isSame = held && isEqualJson(held.service.spec, spec);
    const isAvailable = availableOf(service)?.status === 'True';
    if (isSame) {
      held.service = service;
      held.isAvailable = isAvailable;
      return;
    }
    held?.cancel();
    held?.upstream.close();
    const upstream = keptAlive(remoteOf(spec, this.#reach));
    const fresh = {
      resources: held?.resources,
      isFresh: false,
      failures: 0,
      isChecking: false,
      isDirty: false,
    };
    this.#remotes.set(at, { service, upstream, isAvailable, ...fresh, cancel: () => {} });
    this.#revision++;
    this.#followBackends();
    this.#check(at);
  }

  #drop(at: string): void {
    const held = this.#remotes.get(at)!;
    held.cancel();
    held.upstream.close();
    this.#remotes.delete(at);
    this.#unavailable.remove({ name: held.service.metadata!.name! });
    this.#revision++;
  }

  /** Who has no such APIServices has nobody to watch. */
  #followBackends(): void {
    if (this.#followsBackends) return;
    this.#followsBackends = true;
    const behind = (name: string, namespace: string) =>
      [...this.#remotes].filter(([, { service }]) => {
        const asked = service.spec?.service;
        return asked?.name === name && asked.namespace === namespace;
      });
    const changed = (...of: [name: string, namespace: string]) => {
      for (const [at] of behind(...of)) this.#check(at);
    };
    const concerns = ({ key }: { key: string }) => behind(...nameIn(key)).length > 0;
    for (const each of [serviceKind, endpointsKind]) void this.#follow(prefixOf(each), changed, concerns);
  }

  #check(at: string): void {
    const remote = this.#remotes.get(at);
    if (!remote || this.#isClosed) return;
    remote.cancel();
    if (remote.isChecking) {
      remote.isDirty = true;
      return;
    }
    remote.isChecking = true;
    void this.#checkNow(at, remote).finally(() => {
      remote.isChecking = false;
      if (this.#remotes.get(at) !== remote || this.#isClosed) return;
      const isDirty = remote.isDirty;
      remote.isDirty = false;
      const waitMs = remote.failures > 0 ? Math.min(recheckMs, retryMinMs * 2 ** remote.failures) : recheckMs;
      if (isDirty) this.#check(at);
      else remote.cancel = this.#context.clock.after(waitMs, () => this.#check(at));
    });
  }

  async #checkNow(at: string, remote: Watched): Promise<void> {
    const { store, log } = this.#context;
    try {
      const finding = await check(remote.service, store, this.#reach);
      if (this.#remotes.get(at) !== remote || this.#isClosed) return;
      remote.failures = finding.status === 'True' ? 0 : remote.failures + 1;
      this.#unavailable.set(finding.status === 'True' ? 0 : 1, { name: remote.service.metadata!.name! });
      await this.#readDiscovery(remote, finding);
      await this.#tell(remote.service, finding);
    } catch (error) {
      remote.failures += 1;
      const { name } = remote.service.metadata!;
      if (!this.#isClosed) log.warn('an APIService could not be checked', { name, error: messageOf(error) });
    }
  }

  /** Before its availability is told: who waits for that finds its kinds. */
  async #readDiscovery(remote: Watched, { status }: Finding): Promise<void> {
    const { group = '', version = '' } = remote.service.spec ?? {};
    let { resources } = remote;
    let isFresh = false;
    if (status === 'True') {
      try {
        resources = await readResources(remote.upstream, { group, version });
        isFresh = true;
      } catch (error) {
        this.#context.log.warn('discovery failed', { group, version, error: messageOf(error) });
      }
    }
    if (isFresh === remote.isFresh && isEqualJson(resources ?? [], remote.resources ?? [])) return;
    remote.resources = resources;
    remote.isFresh = isFresh;
    this.#revision++;
  }

  /** Writes the condition `Available` where it is another than before. */
  async #tell({ metadata }: APIService, finding: Finding): Promise<void> {
    const { store, clock } = this.#context;
    const key = keyOf(kind, undefined, metadata!.name!);
    for (;;) {
      const stored = store.get(key);
      if (!stored || this.#isClosed) return;
      const service = stored.value as APIService;
      if (!service.spec?.service !== (finding.reason === 'Local')) return;
      const before = availableOf(service);
      const isSame = before?.status === finding.status;
      const lastTransitionTime =
        isSame && before.lastTransitionTime ? before.lastTransitionTime : toTime(clock.nowMs());
      const condition = { type: 'Available', ...finding, lastTransitionTime };
      if (isEqualJson(before, condition)) return;
      const others = (service.status?.conditions ?? []).filter(({ type }) => type !== 'Available');
      const status = { ...service.status, conditions: [...others, condition] };
      try {
        await store.update(key, { ...service, status }, stored.revision);
        return;
      } catch (error) {
        if (isStatus(error, 'NotFound') || isStatus(error, 'ServiceUnavailable')) return;
        if (!isStatus(error, 'Conflict')) throw error;
      }
    }
  }
}

const local: Finding = {
  status: 'True',
  reason: 'Local',
  message: 'Local APIServices are always available',
};

function availableOf({ status }: APIService) {
  return status?.conditions?.find(({ type }) => type === 'Available');
}

/** The name and namespace at the end of a key. */
function nameIn(key: string): [name: string, namespace: string] {
  const parts = key.split('/');
  return [parts.at(-1)!, parts.at(-2)!];
}
