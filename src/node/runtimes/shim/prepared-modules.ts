import { spawn } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import {
  extension,
  modulesAt,
  modulesInPlace,
  packagesOfPods,
  type ShimModules,
  sourceRoot,
} from './modules-in-place.ts';
import { packageFolders } from './package-folders.ts';

/** Versions of the prepared modules that are kept: a running shim still uses its own. */
export const versionsMax = 8;

/**
 * Shim and isolate host as JavaScript. Where we run from TypeScript sources, the types are stripped once for each
 * version of the code and kept in `dir`, so that neither the shim nor any pod loads the type stripper (18 MB, 35 ms).
 */
export async function prepareModules(dir: string): Promise<ShimModules> {
  if (extension !== '.ts') return modulesInPlace();
  const modules = importClosure([modulesInPlace().shimPath, modulesInPlace().hostPath]);
  const hash = createHash('sha256').update(process.version);
  for (const [file, source] of modules) hash.update(`${file}\0${source}\0`);
  const target = path.join(dir, hash.digest('hex').slice(0, 16));
  if (!existsSync(target)) await strip(target, modules);
  return modulesAt(target, '.js');
}

async function strip(target: string, modules: [string, string][]): Promise<void> {
  const fresh = `${target}.${randomUUID()}`;
  for (const [file, source] of modules) {
    const at = path.join(fresh, path.relative(sourceRoot, file));
    mkdirSync(path.dirname(at), { recursive: true });
    writeFileSync(at, source);
  }
  writeFileSync(path.join(fresh, 'package.json'), '{"type":"module"}\n');
  for (const name of packagesOfPods) {
    for (const [each, folder] of packageFolders(name, sourceRoot)) {
      cpSync(folder, path.join(fresh, 'node_modules', each), { recursive: true });
    }
  }
  await runStripper(fresh);
  try {
    renameSync(fresh, target);
  } catch (error) {
    rmSync(fresh, { recursive: true, force: true });
    // Another agent was faster, with the same content.
    if (!existsSync(target)) throw error;
  }
  forgetOldVersions(path.dirname(target));
}

/** In a process of its own, so that the stripper's memory is given back. */
function runStripper(folder: string): Promise<void> {
  const script = `
    import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
    import { stripTypeScriptTypes } from 'node:module';
    for (const name of readdirSync('.', { recursive: true }).filter((name) => name.endsWith('.ts') && !name.startsWith('node_modules'))) {
      const code = stripTypeScriptTypes(readFileSync(name, 'utf8'));
      writeFileSync(name.replace(/ts$/, 'js'), code.replace(/(['"]\\.[^'"\\n]*)\\.ts(['"])/g, '$1.js$2'));
      rmSync(name);
    }`;
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--no-warnings', '--input-type=module', '-e', script], {
      cwd: folder,
      env: {},
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let errors = '';
    child.stderr.on('data', (chunk: Buffer) => {
      errors = (errors + chunk).slice(-2000);
    });
    child.once('error', reject);
    child.once('close', (code) =>
      code === 0 ? resolve() : reject(new Error(`cannot prepare the shim's modules: ${errors}`)),
    );
  });
}

/** Every module that the entries import by relative path, directly or not, with its source, in order of name. */
function importClosure(files: string[]): [string, string][] {
  const found = new Map<string, string>();
  const waiting = [...files];
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (found.has(file)) continue;
    const source = readFileSync(file, 'utf8');
    found.set(file, source);
    const statements = source.matchAll(/^(?:import|export)( type)? [^;]*?from '(\.[^']+)';/gm);
    for (const [, type, specifier] of statements) {
      if (!type) waiting.push(path.resolve(path.dirname(file), specifier!));
    }
    for (const [, specifier] of source.matchAll(/\bawait import\('(\.[^']+)'\)/g)) {
      waiting.push(path.resolve(path.dirname(file), specifier!));
    }
  }
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1));
}

function forgetOldVersions(dir: string): void {
  const versions = readdirSync(dir)
    .map((name) => ({ at: path.join(dir, name), usedMs: statSync(path.join(dir, name)).mtimeMs }))
    .sort((a, b) => b.usedMs - a.usedMs);
  for (const { at } of versions.slice(versionsMax)) rmSync(at, { recursive: true, force: true });
}
