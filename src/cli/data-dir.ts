import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

/** Where each part keeps its files. */
export interface DataDir {
  root: string;
  server: string;
  registry: string;
  node: string;
  kubeconfig: string;
}

export const dataDirHelp = 'folder that holds everything ($SELVAGE_HOME, else ~/.selvage)';

/** The data folder that was asked for, else `$SELVAGE_HOME`, else `~/.selvage`. */
export function dataDir(asked: string | undefined): DataDir {
  const root = resolve(asked ?? process.env.SELVAGE_HOME ?? join(homedir(), '.selvage'));
  return {
    root,
    server: join(root, 'server'),
    registry: join(root, 'registry'),
    node: join(root, 'node'),
    kubeconfig: join(root, 'kubeconfig'),
  };
}
