interface Resource {
  resource: string;
  singularResource: string;
  scope: string;
  verbs: string[];
  shortNames?: string[];
  categories?: string[];
  responseKind: { kind: string };
  subresources?: { subresource: string; verbs: string[]; responseKind: { kind: string } }[];
}

/** By `group/version/plural`: kind, singular, scope, verbs, short names, categories and subresources, of stable versions. */
export function readDiscovery(aggregated: object, core: object): Record<string, object> {
  const found: Record<string, object> = {};
  const { items } = aggregated as {
    items: { metadata: { name: string }; versions: { version: string; resources: Resource[] }[] }[];
  };
  for (const { metadata, versions } of items) {
    for (const { version, resources } of versions.filter((one) => /^v\d+$/.test(one.version))) {
      for (const one of resources) {
        found[`${metadata.name}/${version}/${one.resource}`] = {
          kind: one.responseKind.kind,
          singular: one.singularResource,
          namespaced: one.scope === 'Namespaced',
          verbs: one.verbs,
          shortNames: one.shortNames ?? [],
          categories: one.categories ?? [],
          subresources: Object.fromEntries(
            (one.subresources ?? []).map((sub) => [sub.subresource, [sub.responseKind.kind, ...sub.verbs]]),
          ),
        };
      }
    }
  }
  return { ...readCore(core), ...found };
}

interface CoreResource extends Omit<Resource, 'resource' | 'scope' | 'responseKind'> {
  name: string;
  singularName: string;
  namespaced: boolean;
  kind: string;
}

function readCore(list: object): Record<string, object> {
  const { resources } = list as { resources: CoreResource[] };
  const main = resources.filter(({ name }) => !name.includes('/'));
  return Object.fromEntries(
    main.map((one) => {
      const below = resources.filter(({ name }) => name.startsWith(`${one.name}/`));
      const subresources = below.map((sub) => [
        sub.name.slice(one.name.length + 1),
        [sub.kind, ...sub.verbs],
      ]);
      const { kind, namespaced, verbs, shortNames = [], categories = [], singularName: singular } = one;
      const more = { subresources: Object.fromEntries(subresources) };
      return [`/v1/${one.name}`, { kind, singular, namespaced, verbs, shortNames, categories, ...more }];
    }),
  );
}
