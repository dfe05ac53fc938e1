import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readColumns } from './published-types/columns.ts';
import { readDefinitions } from './published-types/definitions.ts';
import { readDiscovery } from './published-types/discovery.ts';
import { readMessages, writeFieldNumbers } from './published-types/field-numbers.ts';

/**
 * Takes down what Kubernetes publishes of its kinds: fields, their protobuf numbers, columns and discovery, as the
 * tests compare ours with it and as the server reads protobuf. To be run again for another version of Kubernetes:
 *
 *     for m in kubernetes@v1.32.0 api@v0.32.0 apimachinery@v0.32.0 kube-aggregator@v0.32.0 apiextensions-apiserver@v0.32.0
 *     do go mod download k8s.io/$m; done
 *     node scripts/published-types.ts $(go env GOMODCACHE)/k8s.io
 */
const [cache] = process.argv.slice(2);
if (!cache) {
  console.error('usage: node scripts/published-types.ts FOLDER-OF-k8s.io-MODULES');
  process.exit(2);
}

const root = fileURLToPath(new URL('..', import.meta.url));
const inModule = (name: string, path: string): string => {
  const version = readdirSync(cache).find(
    (folder) => folder.startsWith(`${name}@`) && folder.endsWith('32.0'),
  );
  if (!version) throw new Error(`no module ${name} in ${cache}: get it with go mod download`);
  return join(cache, version, path);
};
const read = (name: string, path: string): string => readFileSync(inModule(name, path), 'utf8');

const published = (name: string, value: object): void => {
  const lines = Object.entries(value).map(([key, one]) => `  ${JSON.stringify(key)}: ${JSON.stringify(one)}`);
  writeFileSync(join(root, 'src/api/published', name), `{\n${lines.join(',\n')}\n}\n`);
};

const discovery = JSON.parse(read('kubernetes', 'api/discovery/aggregated_v2.json')) as object;
const core = JSON.parse(read('kubernetes', 'api/discovery/api__v1.json')) as object;
published('discovery.json', readDiscovery(discovery, core));
published('columns.json', readColumns(read('kubernetes', 'pkg/printers/internalversion/printers.go')));
const swagger = JSON.parse(read('kubernetes', 'api/openapi-spec/swagger.json')) as object;
const definitions = readDefinitions(swagger);
published('definitions.json', definitions);
const messages = readMessages(inModule, Object.keys(definitions));
writeFileSync(join(root, 'src/apiserver/protobuf/field-numbers.ts'), writeFieldNumbers(messages));
