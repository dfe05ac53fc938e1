// docs/kubernetes.md says which kinds there are: it is compared with what the server serves.
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { send } from '../src/apiserver/test-request.ts';
import { startTestServer } from '../src/apiserver/test-server.ts';

const root = dirname(import.meta.dirname);
const page = readFileSync(join(root, 'docs', 'kubernetes.md'), 'utf8');

interface Told {
  /** As `apps/v1 Deployment` and `apps/v1 Deployment status`. */
  served: string[];
  /** Kinds that nothing acts on. */
  stored: string[];
}

function readPage(): Told {
  const section = /^## Kinds\n([\s\S]*?)^## /m.exec(page)?.[1] ?? '';
  const told: Told = { served: [], stored: [] };
  for (const line of section.split('\n')) {
    const cells = /^\| `([^`]+)` \| (.+?) \| (.*?) ?\|$/.exec(line);
    if (!cells) continue;
    const [, group = '', kinds = '', parts = ''] = cells;
    const names = kinds.replace(/\([^)]*\)/g, '').replace(/:.*/, '');
    const subresources = [...parts.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name);
    for (const kind of names.split(',').map((each) => each.trim())) {
      told.served.push(`${group} ${kind}`, ...subresources.map((part) => `${group} ${kind} ${part}`));
    }
    told.stored.push(...[...kinds.matchAll(/(\w+) \(stored\)/g)].map(([, kind = '']) => kind));
  }
  return told;
}

async function readServer(): Promise<string[]> {
  const server = await startTestServer({ listens: false });
  try {
    const api = server.server.transport();
    const { groups } = (await send(api, 'GET /apis')).object;
    const versions: string[] = groups.flatMap(({ versions }: { versions: { groupVersion: string }[] }) =>
      versions.map(({ groupVersion }) => groupVersion),
    );
    const served: string[] = [];
    for (const groupVersion of ['v1', ...versions]) {
      const path = groupVersion === 'v1' ? '/api/v1' : `/apis/${groupVersion}`;
      const resources: { name: string; kind: string }[] = (await send(api, `GET ${path}`)).object.resources;
      const kindOf = new Map(resources.map(({ name, kind }) => [name, kind]));
      for (const { name } of resources) {
        const [plural = '', part] = name.split('/');
        served.push(`${groupVersion} ${kindOf.get(plural)}${part === undefined ? '' : ` ${part}`}`);
      }
    }
    return served;
  } finally {
    await server.close();
  }
}

const told = readPage();

test('the page lists every kind and subresource that is served, and no other', async () => {
  const served = await readServer();
  assert.ok(told.served.length > 50, 'the table was not found');
  const missing = served.filter((each) => !told.served.includes(each));
  const gone = told.served.filter((each) => !served.includes(each));
  assert.deepEqual({ missing, gone }, { missing: [], gone: [] });
  assert.equal(new Set(told.served).size, told.served.length, 'nothing is listed twice');
});

test('what the page calls stored is used by no controller, scheduler or node', () => {
  assert.ok(told.stored.length > 0);
  const rooms = globSync('src/{controllers,scheduler,node,mesh}/**/*.ts', { cwd: root });
  assert.ok(rooms.length > 100);
  const sources = rooms
    .filter((file) => !file.includes('.test.'))
    .map((file) => readFileSync(join(root, file), 'utf8'));
  for (const kind of told.stored) {
    const file = `kinds/${kind[0]!.toLowerCase()}${kind.slice(1)}.ts`;
    assert.ok(!sources.some((text) => text.includes(file)), `${kind} is called stored, and is used`);
  }
});
