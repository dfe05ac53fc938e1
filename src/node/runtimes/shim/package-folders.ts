import { existsSync, readFileSync, realpathSync } from 'node:fs';
import path from 'node:path';

/**
 * Folders of an installed package and of all that it depends on, by name: what a process without any other rights must
 * be able to read to load it. Packages for other runtimes (`bare-…`) are left out. Empty if it isn't installed.
 */
export function packageFolders(name: string, from: string): Map<string, string> {
  const found = new Map<string, string>();
  const waiting = [{ name, from }];
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    if (found.has(next.name) || next.name.startsWith('bare-')) continue;
    const folder = folderOf(next.name, next.from);
    if (!folder) continue;
    found.set(next.name, folder);
    // npm wrote it.
    const { dependencies = {} } = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8')) as {
      dependencies?: Record<string, string>;
    };
    for (const each of Object.keys(dependencies)) waiting.push({ name: each, from: folder });
  }
  return found;
}

/** In the nearest `node_modules` on the way up, as Node looks for it. */
function folderOf(name: string, from: string): string | undefined {
  for (let at = from; ; at = path.dirname(at)) {
    const folder = path.join(at, 'node_modules', name);
    if (existsSync(path.join(folder, 'package.json'))) return realpathSync(folder);
    if (at === path.dirname(at)) return undefined;
  }
}
