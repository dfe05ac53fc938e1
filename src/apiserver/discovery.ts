import { createHash } from 'node:crypto';
import { byPriority } from '../api/custom/definition/versions.ts';
import type { KindDefinition } from '../api/kind.ts';
import type { ApiRequest } from '../client/transport.ts';
import { aggregated, type ListedResource, type RemoteVersion } from './aggregation/remote-discovery.ts';
import { noSuchPath } from './failures.ts';
import { readAccept } from './negotiate.ts';

/** One line of discovery. */
type DiscoveredResource = ListedResource & { singularName: string };

/** A kind that only takes POST and is not stored, such as SelfSubjectAccessReview. */
export interface ReviewKind {
  group: string;
  version: string;
  kind: string;
  plural: string;
  namespaced?: true;
}

/** A kind that is computed when it is read, such as PodMetrics. */
export interface ViewKind extends Omit<ReviewKind, 'namespaced'> {
  namespaced: boolean;
}

/** The kinds that are served; `revision` grows when they change. */
export interface ServedKinds {
  readonly kinds: readonly KindDefinition[];
  readonly revision: number;
}

/** What other servers serve; `revision` grows when that changes. */
export interface RemoteVersions {
  readonly revision: number;
  versions(): RemoteVersion[];
  /** How the APIService of a version ranks it. */
  priorityOf(group: string, version: string): { group: number; version: number } | undefined;
}

type Groups = Map<string, Map<string, DiscoveredResource[]>>;

/** The groups, and the versions in each, as their APIServices rank them. */
function ranked(groups: Groups, remotes: Pick<RemoteVersions, 'priorityOf'>): Groups {
  const ofGroup = ([group, versions]: [string, Map<string, unknown>]) =>
    Math.max(...[...versions.keys()].map((version) => remotes.priorityOf(group, version)?.group ?? 0));
  const sorted = [...groups].map(([group, versions]) => {
    const rank = (version: string) => remotes.priorityOf(group, version)?.version ?? 0;
    const inOrder = [...versions].sort(([a], [b]) => rank(b) - rank(a) || byPriority(a, b));
    return [group, new Map(inOrder)] as const;
  });
  return new Map(sorted.sort((a, b) => ofGroup([...b]) - ofGroup([...a])));
}

/** What the server tells clients of its resources; all answers are made once, and anew when the kinds change. */
export class Discovery {
  #groups = new Map<string, Map<string, DiscoveredResource[]>>();
  #aggregated = new Map<string, object>();
  #served: ServedKinds;
  #revision: string | undefined;
  #reviews: readonly ReviewKind[];
  #views: readonly ViewKind[];

  #remotes: RemoteVersions;
  /** By `group/version`: those that other servers serve. */
  #remote = new Map<string, RemoteVersion>();

  constructor(
    served: ServedKinds,
    reviews: readonly ReviewKind[],
    { views, remotes }: { views: readonly ViewKind[]; remotes: RemoteVersions },
  ) {
    this.#served = served;
    this.#reviews = reviews;
    this.#views = views;
    this.#remotes = remotes;
  }

  /** Answers `/api`, `/apis` and what lies below them down to a group's version; throws NotFound for others. */
  answer(request: ApiRequest): { object: object; contentType: string } {
    this.#refresh();
    const [root, ...rest] = request.path.split('/').filter((part) => part !== '');
    if (rest.length === 0) {
      const version = aggregatedVersion(request.headers.accept);
      if (version !== undefined) {
        const contentType = `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`;
        return { object: this.#aggregate(root!, version), contentType };
      }
    }
    return { object: this.#legacy(root!, rest), contentType: 'application/json' };
  }

  /** Of the groups and versions. */
  paths(): string[] {
    this.#refresh();
    const below = [...this.#groups].flatMap(([group, versions]) => {
      const path = group === '' ? '/api' : `/apis/${group}`;
      return [path, ...[...versions.keys()].map((version) => `${path}/${version}`)];
    });
    return [...below, '/apis', '/apis/'];
  }

  #refresh(): void {
    const revision = `${this.#served.revision} ${this.#remotes.revision}`;
    if (this.#revision === revision) return;
    this.#revision = revision;
    this.#groups = new Map();
    this.#aggregated = new Map();
    for (const kind of this.#served.kinds) this.#add(kind, resourcesOf(kind));
    for (const review of this.#reviews) this.#add(review, [reviewResource(review)]);
    for (const view of this.#views) this.#add(view, [viewResource(view)]);
    this.#groups = inOrder(this.#groups);
    const remote = this.#remotes.versions();
    this.#remote = new Map(remote.map((one) => [`${one.group}/${one.version}`, one]));
    if (remote.length === 0) return;
    // What another server serves in our place is not ours.
    for (const { group, version } of remote) this.#groups.get(group)?.delete(version);
    for (const one of remote) this.#add(one, []);
    this.#groups = ranked(this.#groups, this.#remotes);
  }

  #add(at: { group: string; version: string }, resources: DiscoveredResource[]): void {
    const versions = this.#groups.get(at.group) ?? new Map<string, DiscoveredResource[]>();
    this.#groups.set(at.group, versions);
    versions.set(at.version, [...(versions.get(at.version) ?? []), ...resources]);
  }

  #legacy(root: string, rest: string[]): object {
    if (root === 'api') {
      const [version] = rest;
      if (version === undefined) return coreVersions;
      return this.#resourceList('', version, rest.length === 1);
    }
    const [group, version] = rest;
    if (group === undefined) {
      const groups = [...this.#groups.keys()].filter((name) => name !== '').map((name) => this.#group(name));
      return { kind: 'APIGroupList', apiVersion: 'v1', groups };
    }
    if (group === '' || !this.#groups.has(group)) throw noSuchPath();
    if (version === undefined) return { kind: 'APIGroup', apiVersion: 'v1', ...this.#group(group) };
    return this.#resourceList(group, version, rest.length === 2);
  }

  #group(name: string): object {
    const versions = [...this.#groups.get(name)!.keys()].map((version) => ({
      groupVersion: `${name}/${version}`,
      version,
    }));
    return { name, versions, preferredVersion: versions[0] };
  }

  #resourceList(group: string, version: string, isWhole: boolean): object {
    const resources = this.#groups.get(group)?.get(version);
    if (!resources || !isWhole) throw noSuchPath();
    return {
      kind: 'APIResourceList',
      // Kubernetes leaves it out of the list of its oldest group.
      ...(group !== '' && { apiVersion: 'v1' }),
      groupVersion: group === '' ? version : `${group}/${version}`,
      resources,
    };
  }

  #aggregate(root: string, version: string): object {
    const known = this.#aggregated.get(root + version);
    if (known) return known;
    const items = [...this.#groups]
      .filter(([group]) => (group === '') === (root === 'api'))
      .map(([group, versions]) => ({
        metadata: { name: group, creationTimestamp: null },
        versions: [...versions].map(([name, resources]) => ({
          version: name,
          resources:
            this.#remote.get(`${group}/${name}`)?.resources ??
            aggregated(resources, { group, version: name }),
          freshness: this.#remote.get(`${group}/${name}`)?.freshness ?? 'Current',
        })),
      }));
    const list = {
      kind: 'APIGroupDiscoveryList',
      apiVersion: `apidiscovery.k8s.io/${version}`,
      metadata: {},
      items,
    };
    this.#aggregated.set(root + version, list);
    return list;
  }
}

/** The groups in the order in which Kubernetes prefers them; others come last, as they come. */
const groupOrder = [
  '',
  'apiregistration.k8s.io',
  'apps',
  'events.k8s.io',
  'authentication.k8s.io',
  'authorization.k8s.io',
  'autoscaling',
  'batch',
  'certificates.k8s.io',
  'networking.k8s.io',
  'policy',
  'rbac.authorization.k8s.io',
  'storage.k8s.io',
  'admissionregistration.k8s.io',
  'apiextensions.k8s.io',
  'scheduling.k8s.io',
  'coordination.k8s.io',
  'node.k8s.io',
  'discovery.k8s.io',
  'flowcontrol.apiserver.k8s.io',
];

/** As Kubernetes lists them: the groups by preference, the resources of each version by name. */
function inOrder(groups: Groups): Groups {
  const placeOf = (group: string) =>
    groupOrder.includes(group) ? groupOrder.indexOf(group) : groupOrder.length;
  for (const versions of groups.values())
    for (const resources of versions.values()) resources.sort((a, b) => (a.name < b.name ? -1 : 1));
  return new Map([...groups].sort(([a], [b]) => placeOf(a) - placeOf(b)));
}

const coreVersions = {
  kind: 'APIVersions',
  versions: ['v1'],
  serverAddressByClientCIDRs: [],
};

function aggregatedVersion(accept: string | undefined): string | undefined {
  for (const { type, parameters } of readAccept(accept ?? '')) {
    if (type !== 'application/json') continue;
    if (!parameters.has('as')) return undefined;
    const isList =
      parameters.get('g') === 'apidiscovery.k8s.io' && parameters.get('as') === 'APIGroupDiscoveryList';
    const version = parameters.get('v');
    if (isList && (version === 'v2' || version === 'v2beta1')) return version;
  }
  return undefined;
}

function resourcesOf(kind: KindDefinition): DiscoveredResource[] {
  const { namespaced } = kind;
  const sub = (name: string, verbs: string[], more: Partial<DiscoveredResource> = {}) => ({
    name: `${kind.plural}/${name}`,
    singularName: '',
    namespaced,
    kind: kind.kind,
    verbs,
    ...more,
  });
  const main: DiscoveredResource = {
    name: kind.plural,
    singularName: kind.singular,
    namespaced,
    kind: kind.kind,
    verbs: kind.verbs,
    ...(kind.shortNames.length > 0 && { shortNames: kind.shortNames }),
    ...(kind.categories.length > 0 && { categories: kind.categories }),
    ...(kind.verbs.includes('watch') && !kind.custom && { storageVersionHash: storageVersionHash(kind) }),
  };
  const change = ['get', 'patch', 'update'];
  const resources = [main];
  if (kind.subresources.status) resources.push(sub('status', change));
  if (kind.subresources.scale) {
    resources.push(sub('scale', change, { group: 'autoscaling', version: 'v1', kind: 'Scale' }));
  }
  for (const extra of extraSubresources[`${kind.group}/${kind.plural}`] ?? []) {
    const { name, verbs, ...more } = extra;
    resources.push(sub(name, verbs, more));
  }
  return resources;
}

const proxyVerbs = ['create', 'delete', 'get', 'patch', 'update'];

const hashBytes = 8;

/** Changes when the version changes in which objects are stored; the same as Kubernetes' for the same version. */
function storageVersionHash(kind: KindDefinition): string {
  const stored = kind.storedAs?.kind ?? kind;
  const text = `${stored.group}/${stored.version}/${stored.kind}`;
  return createHash('sha256').update(text).digest().subarray(0, hashBytes).toString('base64');
}

/** Subresources that are code of this server rather than part of a kind's declaration. */
const extraSubresources: Record<string, ({ name: string; verbs: string[] } & Partial<DiscoveredResource>)[]> =
  {
    '/pods': [
      { name: 'attach', kind: 'PodAttachOptions', verbs: ['create', 'get'] },
      { name: 'binding', kind: 'Binding', verbs: ['create'] },
      { name: 'ephemeralcontainers', verbs: ['get', 'patch', 'update'] },
      { name: 'eviction', group: 'policy', version: 'v1', kind: 'Eviction', verbs: ['create'] },
      { name: 'exec', kind: 'PodExecOptions', verbs: ['create', 'get'] },
      { name: 'log', verbs: ['get'] },
      { name: 'portforward', kind: 'PodPortForwardOptions', verbs: ['create', 'get'] },
      { name: 'proxy', kind: 'PodProxyOptions', verbs: proxyVerbs },
    ],
    '/services': [{ name: 'proxy', kind: 'ServiceProxyOptions', verbs: proxyVerbs }],
    '/nodes': [{ name: 'proxy', kind: 'NodeProxyOptions', verbs: proxyVerbs }],
    '/namespaces': [{ name: 'finalize', verbs: ['update'] }],
    '/serviceaccounts': [
      {
        name: 'token',
        group: 'authentication.k8s.io',
        version: 'v1',
        kind: 'TokenRequest',
        verbs: ['create'],
      },
    ],
    'certificates.k8s.io/certificatesigningrequests': [
      { name: 'approval', verbs: ['get', 'patch', 'update'] },
    ],
  };

/** Which further subresources a resource has, by name. */
export function extraSubresourcesOf(kind: { group: string; plural: string }): Map<string, string[]> {
  const extras = extraSubresources[`${kind.group}/${kind.plural}`] ?? [];
  return new Map(extras.map(({ name, verbs }) => [name, verbs]));
}

/** What is computed when it is asked for: read only. */
function viewResource({ plural, namespaced, kind }: ViewKind): DiscoveredResource {
  return { name: plural, singularName: '', namespaced, kind, verbs: ['get', 'list'] };
}

function reviewResource(review: ReviewKind): DiscoveredResource {
  return {
    name: review.plural,
    singularName: review.kind.toLowerCase(),
    namespaced: review.namespaced ?? false,
    kind: review.kind,
    verbs: ['create'],
  };
}
