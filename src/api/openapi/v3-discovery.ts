import { info, json } from './paths.ts';

type Schema = Record<string, unknown>;

const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1';
const text = (description: string): Schema => ({ type: 'string', description });
const ref = (name: string): Schema => ({ $ref: `#/components/schemas/${name}` });
const listOf = (name: string, description: string): Schema => ({
  type: 'array',
  items: ref(`${meta}.${name}`),
  description,
});
const head = { apiVersion: text('v1.'), kind: text('The kind of the answer.') };
const addresses = listOf('ServerAddressByClientCIDR', 'Which address of the server clients use, by theirs.');

const versionFields = [
  ...['major', 'minor', 'gitVersion', 'gitCommit', 'gitTreeState', 'buildDate'],
  ...['goVersion', 'compiler', 'platform'],
];
const schemas: Record<string, Schema> = {
  [`${meta}.ServerAddressByClientCIDR`]: structure(['clientCIDR', 'serverAddress'], {
    clientCIDR: text('The network of the clients.'),
    serverAddress: text('The address that they use.'),
  }),
  [`${meta}.GroupVersionForDiscovery`]: structure(['groupVersion', 'version'], {
    groupVersion: text('GROUP/VERSION.'),
    version: text('The version.'),
  }),
  [`${meta}.APIGroup`]: structure(['name', 'versions'], {
    ...head,
    name: text('The group.'),
    preferredVersion: ref(`${meta}.GroupVersionForDiscovery`),
    serverAddressByClientCIDRs: addresses,
    versions: listOf('GroupVersionForDiscovery', 'Its versions.'),
  }),
  [`${meta}.APIGroupList`]: structure(['groups'], { ...head, groups: listOf('APIGroup', 'The groups.') }),
  [`${meta}.APIVersions`]: structure(['serverAddressByClientCIDRs', 'versions'], {
    ...head,
    serverAddressByClientCIDRs: addresses,
    versions: { type: 'array', items: { type: 'string' }, description: 'The versions of the core group.' },
  }),
  'io.k8s.apimachinery.pkg.version.Info': structure(
    versionFields,
    Object.fromEntries(versionFields.map((name) => [name, { type: 'string' }])),
  ),
};

/** The OpenAPI 3.0 document of a path that is above all versions: `api`, `apis`, `apis/GROUP` or `version`. */
export function openapiV3Discovery(path: string): object {
  const [tag, id, description, answer] = operationAt(path);
  const get = {
    tags: [tag],
    description,
    operationId: id,
    responses: {
      200: { description: 'OK', content: { [json]: { schema: ref(answer) } } },
      401: { description: 'Unauthorized' },
    },
  };
  return {
    openapi: '3.0.0',
    info,
    paths: { [`/${path}/`]: { get } },
    components: { schemas: reachable(answer) },
  };
}

function operationAt(path: string): [tag: string, id: string, description: string, answer: string] {
  if (path === 'version')
    return [path, 'getCodeVersion', 'get the code version', 'io.k8s.apimachinery.pkg.version.Info'];
  const versions = 'get available API versions';
  if (path === 'api') return ['core', 'getCoreAPIVersions', versions, `${meta}.APIVersions`];
  if (path === 'apis') return ['apis', 'getAPIVersions', versions, `${meta}.APIGroupList`];
  const [first = '', ...others] = path
    .slice('apis/'.length)
    .replace(/\.k8s\.io$/, '')
    .split('.');
  const tag = first + others.map(capital).join('');
  return [tag, `get${capital(tag)}APIGroup`, 'get information of a group', `${meta}.APIGroup`];
}

function capital(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}

/** A schema and all that it refers to. */
function reachable(name: string, found: Record<string, Schema> = {}): Record<string, Schema> {
  if (found[name]) return found;
  found[name] = schemas[name]!;
  for (const [, other] of JSON.stringify(found[name]).matchAll(/#\/components\/schemas\/([^"]+)/g)) {
    reachable(other!, found);
  }
  return found;
}

function structure(required: string[], properties: Record<string, Schema>): Schema {
  return { type: 'object', required, properties };
}
