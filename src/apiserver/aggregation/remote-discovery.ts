import { isRecord } from '../options.ts';
import type { Upstream } from '../proxy/upstream.ts';
import { readFrom } from './remote.ts';

/** A version that another server serves, as aggregated discovery tells of it. */
export interface RemoteVersion {
  group: string;
  version: string;
  resources: readonly object[];
  /** `Stale` while its server cannot be asked; what is known of it is then of before. */
  freshness: 'Current' | 'Stale';
  groupPriority: number;
  versionPriority: number;
}

const list = (version: string) =>
  `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`;
const accepted = `${list('v2')},${list('v2beta1')}`;

/** What a server serves of a version: from its aggregated discovery, else from its list. Rejects where it tells neither. */
export async function readResources(
  upstream: Upstream,
  { group, version }: { group: string; version: string },
): Promise<readonly object[]> {
  const whole = await readFrom(upstream, '/apis', { accept: accepted });
  const type = String(whole.headers['content-type'] ?? '');
  if (whole.code === 200 && type.includes('as=APIGroupDiscoveryList')) {
    const { items = [] } = JSON.parse(whole.text) as AggregatedList;
    const found = items.find(({ metadata }) => metadata?.name === group)?.versions;
    return found?.find((one) => one.version === version)?.resources ?? [];
  }
  const path = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
  const { code, text } = await readFrom(upstream, path, { accept: 'application/json' });
  if (code !== 200) throw new Error(`bad status from ${path}: ${code}`);
  const parsed: unknown = JSON.parse(text);
  const resources = isRecord(parsed) && Array.isArray(parsed.resources) ? parsed.resources : [];
  return aggregated(resources as ListedResource[], { group, version });
}

interface AggregatedList {
  items?: { metadata?: { name?: string }; versions?: { version: string; resources?: object[] }[] }[];
}

/** A line of an APIResourceList. */
export interface ListedResource {
  name: string;
  singularName?: string;
  namespaced: boolean;
  group?: string;
  version?: string;
  kind: string;
  verbs: readonly string[];
  shortNames?: readonly string[];
  categories?: readonly string[];
  storageVersionHash?: string;
}

/** The lines of an APIResourceList as aggregated discovery has them: subresources below their resource. */
export function aggregated(
  resources: readonly ListedResource[],
  at: { group: string; version: string },
): object[] {
  const kindOf = ({ group = at.group, version = at.version, kind }: ListedResource) => ({
    group,
    version,
    kind,
  });
  return resources
    .filter(({ name }) => !name.includes('/'))
    .map((resource) => {
      const { name, namespaced, singularName = '', verbs, shortNames, categories } = resource;
      const below = resources.filter((one) => one.name.startsWith(`${name}/`));
      return {
        resource: name,
        responseKind: kindOf(resource),
        scope: namespaced ? 'Namespaced' : 'Cluster',
        singularResource: singularName,
        verbs,
        ...(shortNames && { shortNames }),
        ...(categories && { categories }),
        ...(below.length > 0 && {
          subresources: below.map((one) => ({
            subresource: one.name.slice(name.length + 1),
            responseKind: kindOf(one),
            verbs: one.verbs,
          })),
        }),
      };
    });
}
