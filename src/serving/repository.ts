import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, StatusError } from '../base/errors.ts';
import { readModelFolder } from './model-folder.ts';
import type { ServedModel } from './server.ts';
import type { Session } from './session.ts';

/** Models loaded at once: each has a worker and its weights in memory. */
export const loadedMax = 32;
/** Folders that the index looks at. */
export const listedMax = 1000;

/** An entry of the index. Source: Triton's model repository extension. */
export interface IndexEntry {
  name: string;
  version: string;
  state: 'READY' | 'LOADING' | 'UNAVAILABLE';
  reason: string;
}

/** A folder of model folders, `NAME/` or `NAME/VERSION/` (the highest number counts), loaded and unloaded by name. */
export interface ModelRepository {
  loaded: ReadonlyMap<string, ServedModel>;
  index(): Promise<IndexEntry[]>;
  /** Loads or reloads; a running model serves until the new one is there. Throws NotFound or BadRequest. */
  load(name: string): Promise<void>;
  /** Requests that wait already are still answered. Throws NotFound for a model that the folder has not. */
  unload(name: string): Promise<void>;
  close(): Promise<void>;
}

export function openRepository(options: {
  folder: string;
  start: (name: string, onnx: Uint8Array) => Promise<Session>;
}): ModelRepository {
  const { folder, start } = options;
  const loaded = new Map<string, ServedModel>();
  const loading = new Set<string>();
  const reasons = new Map<string, string>();
  let last: Promise<unknown> = Promise.resolve();

  async function names(): Promise<string[]> {
    const entries = await readdir(folder, { withFileTypes: true });
    return entries
      .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
      .map((entry) => entry.name)
      .sort()
      .slice(0, listedMax);
  }

  async function expectListed(name: string): Promise<void> {
    if ((await names()).includes(name)) return;
    throw new StatusError('NotFound', `the repository has no model "${name}"; see POST /v2/repository/index`);
  }

  async function load(name: string): Promise<void> {
    await expectListed(name);
    if (!loaded.has(name) && loaded.size >= loadedMax)
      throw new StatusError('BadRequest', `${loadedMax} models are loaded already; unload one first`);
    loading.add(name);
    try {
      const { path, version } = await newestVersion(join(folder, name));
      const { onnx, labels } = await readModelFolder(path);
      const session = await start(name, onnx);
      const old = loaded.get(name);
      loaded.set(name, { name, version, labels, session });
      reasons.delete(name);
      await old?.session.close();
    } catch (error) {
      reasons.set(name, messageOf(error));
      throw new StatusError('BadRequest', `can't load model "${name}": ${messageOf(error)}`, {
        cause: error,
      });
    } finally {
      loading.delete(name);
    }
  }

  async function unload(name: string): Promise<void> {
    const model = loaded.get(name);
    if (!model) return expectListed(name);
    loaded.delete(name);
    reasons.set(name, 'unloaded');
    await model.session.close();
  }

  /** One at a time: two loads of a model would leave a session that nobody closes. */
  function inOrder(act: () => Promise<void>): Promise<void> {
    const done = last.then(act);
    last = done.catch(() => undefined);
    return done;
  }

  return {
    loaded,
    async index() {
      const all = new Set([...(await names()), ...loaded.keys()]);
      return [...all].map((name) => entryOf(name, loaded.get(name), loading.has(name), reasons.get(name)));
    },
    load: (name) => inOrder(() => load(name)),
    unload: (name) => inOrder(() => unload(name)),
    close: () =>
      inOrder(async () => {
        await Promise.all([...loaded.values()].map(({ session }) => session.close()));
        loaded.clear();
      }),
  };
}

function entryOf(
  name: string,
  model: ServedModel | undefined,
  isLoading: boolean,
  reason: string | undefined,
): IndexEntry {
  if (model) return { name, version: model.version, state: 'READY', reason: reason ?? '' };
  return { name, version: '', state: isLoading ? 'LOADING' : 'UNAVAILABLE', reason: reason ?? 'not loaded' };
}

async function newestVersion(path: string): Promise<{ path: string; version: string }> {
  const versions = (await readdir(path)).filter((name) => /^[1-9]\d{0,14}$/.test(name)).map(Number);
  if (versions.length === 0) return { path, version: '1' };
  const newest = String(Math.max(...versions));
  return { path: join(path, newest), version: newest };
}
