import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { send } from './test-request.ts';
import { startTestServer, type TestServer } from './test-server.ts';

interface Published {
  kind: string;
  singular: string;
  namespaced: boolean;
  verbs: string[];
  shortNames: string[];
  categories: string[];
  subresources: Record<string, string[]>;
}

/** By `group/version/plural`, from Kubernetes 1.32's own discovery; a subresource is its kind and then its verbs. */
const published: Record<string, Published> = JSON.parse(
  readFileSync(new URL('../api/published/discovery.json', import.meta.url), 'utf8'),
);

/** What is not served, and why. */
const absent: Record<string, string> = {
  'pods/ephemeralcontainers': 'an isolate has no shell to debug it with',
  'pods/resize': 'alpha',
};

let server: TestServer;
before(async () => {
  server = await startTestServer({ listens: false });
});
after(() => server.close());

interface Discovered extends Published {
  name: string;
  singularName: string;
}

test('discovery tells of every kind what that of Kubernetes tells: names, verbs, categories, subresources', async () => {
  const transport = server.server.transport();
  const groups = await send(transport, 'GET /apis');
  const versions = groups.object.groups.flatMap((group: { versions: { groupVersion: string }[] }) =>
    group.versions.map(({ groupVersion }) => groupVersion),
  );
  let compared = 0;
  const wrong: string[] = [];
  for (const version of ['v1', ...versions]) {
    const path = version === 'v1' ? '/api/v1' : `/apis/${version}`;
    const resources = (await send(transport, `GET ${path}`)).object.resources as Discovered[];
    for (const ours of resources.filter(({ name }) => !name.includes('/'))) {
      const theirs = published[`${version === 'v1' ? '/v1' : version}/${ours.name}`];
      if (!theirs) continue;
      compared++;
      wrong.push(...differencesOf(ours, theirs, resources));
    }
  }
  assert.ok(compared > 40, `only ${compared} resources were compared`);
  assert.deepEqual(wrong, []);
});

function differencesOf(ours: Discovered, theirs: Published, all: readonly Discovered[]): string[] {
  const shown = {
    kind: ours.kind,
    singular: ours.singularName,
    namespaced: ours.namespaced,
    verbs: [...ours.verbs].sort(),
    shortNames: ours.shortNames ?? [],
    categories: ours.categories ?? [],
  };
  const { subresources, ...wanted } = { ...theirs, verbs: [...theirs.verbs].sort() };
  const wrong =
    JSON.stringify(shown) === JSON.stringify(wanted) ? [] : [`${ours.name}: ${JSON.stringify(shown)}`];
  for (const [name, [kind, ...verbs]] of Object.entries(subresources)) {
    const full = `${ours.name}/${name}`;
    const found = all.find((one) => one.name === full);
    if (!found && absent[full]) continue;
    const is = found && JSON.stringify([found.kind, ...[...found.verbs].sort()]);
    if (is !== JSON.stringify([kind, ...verbs.sort()]))
      wrong.push(`${full}: ${is} rather than ${kind} ${verbs}`);
  }
  return wrong;
}
