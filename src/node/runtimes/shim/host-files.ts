import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

export interface HostFiles {
  /** The host's entry module. */
  hostPath: string;
  /** The folder that a pod must be able to read. */
  hostDir: string;
}

const sourceRoot = path.resolve(import.meta.dirname, '../../..');

/**
 * The isolate host as JavaScript. Run from TypeScript sources, the types are stripped once per version of the code and
 * kept in `dir`, so that no pod loads the type stripper (18 MB, 35 ms) for our own code.
 */
export async function prepareHostFiles(dir: string): Promise<HostFiles> {
  const extension = path.extname(import.meta.filename);
  const entry = path.join(sourceRoot, `node/runtimes/isolate/host${extension}`);
  if (extension !== '.ts') return { hostPath: entry, hostDir: sourceRoot };
  const modules = [...importClosure(entry)];
  const hash = createHash('sha256').update(process.version);
  for (const [file, source] of modules) hash.update(`${file}\0${source}\0`);
  const target = path.join(dir, hash.digest('hex').slice(0, 16));
  if (!existsSync(target)) await strip(dir, target, modules);
  return { hostPath: path.join(target, 'node/runtimes/isolate/host.js'), hostDir: target };
}

async function strip(dir: string, target: string, modules: [string, string][]): Promise<void> {
  rmSync(dir, { recursive: true, force: true });
  const fresh = `${target}.${process.pid}`;
  for (const [file, source] of modules) {
    const at = path.join(fresh, path.relative(sourceRoot, file));
    mkdirSync(path.dirname(at), { recursive: true });
    writeFileSync(at, source);
  }
  writeFileSync(path.join(fresh, 'package.json'), '{"type":"module"}\n');
  await runStripper(fresh);
  renameSync(fresh, target);
}

/** In a process of its own, so that the stripper's memory is given back. */
function runStripper(folder: string): Promise<void> {
  const script = `
    import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
    import { stripTypeScriptTypes } from 'node:module';
    for (const name of readdirSync('.', { recursive: true }).filter((name) => name.endsWith('.ts'))) {
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
      code === 0 ? resolve() : reject(new Error(`cannot prepare the isolate host: ${errors}`)),
    );
  });
}

/** Every module that the entry imports by relative path, directly or not, with its source; type imports too. */
function importClosure(entry: string): Map<string, string> {
  const found = new Map<string, string>();
  const waiting = [entry];
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (found.has(file)) continue;
    const source = readFileSync(file, 'utf8');
    found.set(file, source);
    for (const [, type, specifier] of source.matchAll(
      /^(?:import|export)( type)? [^;]*?from '(\.[^']+)';/gm,
    )) {
      if (!type) waiting.push(path.resolve(path.dirname(file), specifier!));
    }
  }
  return new Map([...found].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Whether the folder holds prepared files, for tests. */
export function preparedVersions(dir: string): string[] {
  return existsSync(dir) ? readdirSync(dir) : [];
}
