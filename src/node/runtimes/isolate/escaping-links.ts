import { readdir, readlink, realpath } from 'node:fs/promises';
import path from 'node:path';

/** How many entries of an image are looked at; more than this is no isolate image. */
export const entriesMax = 200_000;

/**
 * The first symbolic link in an image that leads out of it. Node's permission model follows links wherever they lead,
 * so an image with such a link would read the node's files.
 */
export async function findEscapingLink(rootDir: string): Promise<string | undefined> {
  const root = await realpath(rootDir);
  const folders = [root];
  let seen = 0;
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      seen += 1;
      if (seen > entriesMax) throw new Error(`the image has more than ${entriesMax} files`);
      const at = path.join(folder, entry.name);
      if (entry.isDirectory()) folders.push(at);
      if (entry.isSymbolicLink() && !(await staysWithin(root, at))) {
        return `${path.relative(root, at)} -> ${await readlink(at)}`;
      }
    }
  }
  return undefined;
}

async function staysWithin(root: string, link: string): Promise<boolean> {
  const target = await realpath(link).catch(() => undefined);
  // A dangling link could come to life later: only its text can be judged.
  const reached = target ?? path.resolve(path.dirname(link), await readlink(link));
  return reached === root || reached.startsWith(root + path.sep);
}
