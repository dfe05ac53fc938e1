import { accessSync, constants, mkdirSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { messageOf } from '../base/errors.ts';

/** Where each part keeps its files. */
export interface DataDir {
  root: string;
  server: string;
  registry: string;
  node: string;
  kubeconfig: string;
}

export const dataDirHelp = 'folder that holds everything ($SELVAGE_HOME, else ~/.selvage)';

/** The data folder that was asked for, else `$SELVAGE_HOME`, else `~/.selvage`; it is made, and is this user's. */
export function dataDir(asked: string | undefined): DataDir {
  const root = resolve(asked ?? process.env.SELVAGE_HOME ?? join(homedir(), '.selvage'));
  const folders = {
    server: join(root, 'server'),
    registry: join(root, 'registry'),
    node: join(root, 'node'),
  };
  refuseOthersFolder(root, Object.values(folders));
  makeFolder(root);
  return { root, ...folders, kubeconfig: join(root, 'kubeconfig') };
}

function makeFolder(root: string): void {
  try {
    mkdirSync(root, { recursive: true, mode: 0o700 });
    accessSync(root, constants.W_OK);
  } catch (error) {
    const why = messageOf(error);
    throw new Error(
      `cannot write to the data folder ${root}: ${why}; choose another with --data-dir or $SELVAGE_HOME`,
    );
  }
}

/** What root writes into another user's data folder (`sudo` may keep $HOME) would lock that user out. */
function refuseOthersFolder(root: string, folders: string[]): void {
  const user = process.getuid?.();
  const owner = folders
    .map((folder) => ownerOf(folder, root))
    .find((uid) => uid !== undefined && uid !== user);
  if (user === undefined || owner === undefined) return;
  throw new Error(
    `the data folder ${root} belongs to user ${owner}, and this runs as user ${user}; ` +
      'run it as that user, or choose another folder with --data-dir',
  );
}

/** Undefined where there is nothing yet; of what may not be looked at, the owner of `root` around it. */
function ownerOf(path: string, root: string): number | undefined {
  try {
    return statSync(path).uid;
  } catch (error) {
    const hidden = (error as NodeJS.ErrnoException).code === 'EACCES' && path !== root;
    return hidden ? ownerOf(root, root) : undefined;
  }
}
