import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, normalize, sep } from 'node:path';

/** The rooms of `src/`, lowest first: a room may import only from rooms before it. */
export const rooms = [
  'base',
  'identity',
  'api',
  'store',
  'client',
  'oci',
  'ml',
  'apiserver',
  'mesh',
  'pipeline',
  'serving',
  'learning',
  'scheduler',
  'controllers',
  'node',
  'dashboard',
  'cli',
];

/** Finds imports in `src/` that point upwards, leave `src/`, or name a room that nobody declared. */
export function checkLayers(root: string): { files: number; problems: string[] } {
  const problems: string[] = [];
  const files = sourceFiles(join(root, 'src'));
  for (const file of files) {
    const path = file.slice(root.length + 1);
    const room = roomOf(path);
    if (room === undefined || !rooms.includes(room)) {
      problems.push(`${path}: "${room}" is no room of the house; rooms are declared in scripts/layers.ts`);
      continue;
    }
    for (const specifier of relativeImports(readFileSync(file, 'utf8'))) {
      const target = roomOf(normalize(join(dirname(path), specifier)));
      const isTest = /\.test\.ts$/.test(path);
      if (target === undefined) {
        if (!isTest) problems.push(`${path}: import "${specifier}" leaves src/`);
      } else if (rooms.indexOf(target) > rooms.indexOf(room) && !isTest) {
        problems.push(`${path}: import "${specifier}" points up, from ${room}/ to ${target}/`);
      } else if (room === 'ml' && target !== 'ml') {
        problems.push(`${path}: ml/ stands alone and may not import ${target}/`);
      }
    }
  }
  return { files: files.length, problems };
}

function relativeImports(text: string): string[] {
  return [...text.matchAll(/(?:from|import)\s*\(?\s*['"](\.{1,2}\/[^'"]+)['"]/g)].map((match) => match[1]!);
}

function roomOf(path: string): string | undefined {
  const parts = path.split(sep);
  return parts[0] === 'src' && parts.length > 2 ? parts[1] : undefined;
}

function sourceFiles(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) return sourceFiles(path);
    return /\.tsx?$/.test(name) ? [path] : [];
  });
}
