import { readFile } from 'node:fs/promises';
import { join, posix } from 'node:path';

import { StatusError } from '../base/errors.ts';
import { type BuildOptions, createdAt } from './build-options.ts';
import { type Context, type ContextFile, readContext } from './context-files.ts';
import { orMissing } from './durable-file.ts';
import { entryLabel, runtimeLabel, writeImage } from './image.ts';
import { type LayerEntry, writeLayer } from './layer.ts';
import type { Descriptor } from './manifest.ts';

/** What an isolate's `package.json` may say about it. */
interface Package {
  main?: unknown;
  exports?: unknown;
  selvage?: { entry?: unknown; port?: unknown; env?: unknown };
}

const entryNames = ['index.ts', 'index.js', 'index.mjs', 'server.ts', 'server.js', 'main.ts', 'main.js'];
const appFolder = 'app';

/** Builds a folder with a module as an isolate image: the packages in one layer, the module's own files in another. */
export async function buildIsolate(options: BuildOptions): Promise<Descriptor> {
  const { store, contextDir, onProgress } = options;
  const context = await readContext(contextDir);
  const manifest = await readPackage(contextDir);
  const entry = findEntry(manifest, context, contextDir);
  onProgress?.(`isolate with entry ${entry}, ${context.files.length} files`);

  const isPackage = (file: ContextFile) =>
    file.path === 'node_modules' || file.path.startsWith('node_modules/');
  // Packages first: they change less often, so most rebuilds share that layer.
  const parts = [
    { name: 'packages', files: context.files.filter(isPackage) },
    { name: 'module', files: context.files.filter((file) => !isPackage(file)) },
  ].filter((part) => part.files.length > 0);
  const layers = [];
  for (const part of parts) {
    const layer = await writeLayer(store, [appEntry, ...part.files.map(toEntry)]);
    onProgress?.(`layer ${part.name}: ${part.files.length} entries, ${layer.descriptor.size} bytes`);
    layers.push({ ...layer, name: part.name });
  }

  const created = createdAt(options);
  return writeImage(store, {
    layers: layers.map((layer) => layer.descriptor),
    config: {
      created,
      architecture: options.platform?.architecture ?? 'amd64',
      os: options.platform?.os ?? 'linux',
      config: {
        ...exposedPorts(manifest),
        Env: ['NODE_ENV=production', ...environment(manifest)],
        Entrypoint: ['node', `/${appFolder}/${entry}`],
        WorkingDir: `/${appFolder}`,
        Labels: { [entryLabel]: `/${appFolder}/${entry}`, [runtimeLabel]: 'isolate' },
      },
      rootfs: { type: 'layers', diff_ids: layers.map((layer) => layer.diffId) },
      history: layers.map((layer) => ({ created, created_by: `selvage build: ${layer.name}` })),
    },
  });
}

const appEntry: LayerEntry = { path: appFolder, type: 'directory', mode: 0o755 };

function toEntry(file: ContextFile): LayerEntry {
  const path = `${appFolder}/${file.path}`;
  if (file.type === 'directory') return { path, type: 'directory', mode: 0o755 };
  if (file.type === 'symlink') return { path, type: 'symlink', mode: 0o777, target: file.target };
  return {
    path,
    type: 'file',
    mode: file.isExecutable ? 0o755 : 0o644,
    source: file.source,
    size: file.size,
  };
}

async function readPackage(folder: string): Promise<Package> {
  const path = join(folder, 'package.json');
  const text = await orMissing(readFile(path, 'utf8'));
  if (text === undefined) return {};
  try {
    const content: unknown = JSON.parse(text);
    if (typeof content === 'object' && content !== null) return content;
  } catch (cause) {
    throw new StatusError('Invalid', `${path} is not valid JSON`, { cause });
  }
  throw new StatusError('Invalid', `${path} does not hold a JSON object`);
}

function findEntry(manifest: Package, context: Context, folder: string): string {
  const files = new Set(context.files.filter((file) => file.type === 'file').map((file) => file.path));
  const { field, value } = declaredEntry(manifest);
  if (field !== undefined) {
    const entry = typeof value === 'string' ? posix.normalize(value).replace(/^\.\//, '') : undefined;
    if (entry && files.has(entry)) return entry;
    const ignoring = context.ignoreFile ? `, or is it left out by ${context.ignoreFile}?` : '';
    throw new StatusError(
      'Invalid',
      `package.json says ${field} is ${JSON.stringify(value)}, but there is no such file in ${folder}${ignoring}`,
    );
  }
  const found = entryNames.find((name) => files.has(name));
  if (found) return found;
  throw new StatusError(
    'Invalid',
    `${folder} has neither a Dockerfile nor a module to run: add ${entryNames.slice(0, 2).join(' or ')}, or say ` +
      'which file it is in package.json: { "selvage": { "entry": "src/server.ts" } }',
  );
}

function declaredEntry({ selvage, main, exports }: Package): { field?: string; value?: unknown } {
  if (selvage?.entry !== undefined) return { field: 'selvage.entry', value: selvage.entry };
  if (exports !== undefined) return { field: 'exports', value: mainExport(exports) };
  return main !== undefined ? { field: 'main', value: main } : {};
}

/** What `import` of the package itself would load: https://nodejs.org/api/packages.html#main-entry-point-export */
function mainExport(exports: unknown): unknown {
  if (typeof exports !== 'object' || exports === null) return exports;
  const conditions = exports as Record<string, unknown>;
  const next = conditions['.'] ?? conditions.node ?? conditions.import ?? conditions.default;
  return next === undefined ? exports : mainExport(next);
}

function exposedPorts({ selvage }: Package): { ExposedPorts?: Record<string, Record<string, never>> } {
  const port = selvage?.port;
  if (port === undefined) return {};
  if (typeof port !== 'number' || !Number.isInteger(port) || port < 1 || port > 65_535) {
    const message = `package.json says selvage.port is ${JSON.stringify(port)}, expected a number from 1 to 65535`;
    throw new StatusError('Invalid', message);
  }
  return { ExposedPorts: { [`${port}/tcp`]: {} } };
}

function environment({ selvage }: Package): string[] {
  const entries = Object.entries(selvage?.env ?? {});
  const wrong = entries.find(([, value]) => typeof value !== 'string');
  if (wrong) throw new StatusError('Invalid', `package.json: selvage.env.${wrong[0]} is not a string`);
  return entries.map(([name, value]) => `${name}=${value}`).sort();
}
