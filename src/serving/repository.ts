import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, StatusError } from '../base/errors.ts';
import { modelFiles, readModelFolder, weightsDigestOf } from './model-folder.ts';
import type { ServedModel } from './served-model.ts';
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

/** Models in folders, loaded and unloaded by name. */
export interface ModelRepository {
  loaded: ReadonlyMap<string, ServedModel>;
  index(): Promise<IndexEntry[]>;
  /**
   * Loads or reloads; a running model serves until the new one is there, and requests that it has already end with it. Throws
   * NotFound or BadRequest; then what was served still is.
   */
  load(name: string): Promise<void>;
  /** Requests that wait already are still answered. Throws NotFound for a model that the folder has not. */
  unload(name: string): Promise<void>;
  /** Loaded models whose files, or whose newest version, are no more those that were last read. */
  changed(): Promise<string[]>;
  close(): Promise<void>;
}

type Start = (name: string, onnx: Uint8Array) => Promise<Session>;

/** Where models lie. */
interface Source {
  names(): Promise<string[]>;
  locate(name: string): Promise<{ path: string; version: string }>;
  /** Said of a name that is not there. */
  missing(name: string): StatusError;
}

/** A folder of model folders, `NAME/` or `NAME/VERSION/`, of which the highest number counts. */
export function openRepository({ folder, start }: { folder: string; start: Start }): ModelRepository {
  const source: Source = {
    async names() {
      const entries = await readdir(folder, { withFileTypes: true });
      return entries
        .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
        .map((entry) => entry.name)
        .sort()
        .slice(0, listedMax);
    },
    locate: (name) => newestVersion(join(folder, name)),
    missing: (name) =>
      new StatusError('NotFound', `the repository has no model "${name}"; see POST /v2/repository/index`),
  };
  return createRepository(source, start);
}

/** One model in one folder. */
export function openSingle(options: {
  name: string;
  version: string;
  folder: string;
  start: Start;
}): ModelRepository {
  const { name, version, folder, start } = options;
  const source: Source = {
    names: async () => [name],
    locate: async () => ({ path: folder, version }),
    missing: (asked) =>
      new StatusError(
        'NotFound',
        `this server has the one model "${name}", not "${asked}"; MODEL_REPOSITORY would serve a folder of them`,
      ),
  };
  return createRepository(source, start);
}

function createRepository(source: Source, start: Start): ModelRepository {
  const loaded = new Map<string, ServedModel>();
  const loading = new Set<string>();
  const reasons = new Map<string, string>();
  /** What the files of a model looked like when they were last read, with success or not. */
  const stamps = new Map<string, string>();
  let last: Promise<unknown> = Promise.resolve();

  async function expectListed(name: string): Promise<void> {
    if (!(await source.names()).includes(name)) throw source.missing(name);
  }

  async function load(name: string): Promise<void> {
    await expectListed(name);
    if (!loaded.has(name) && loaded.size >= loadedMax)
      throw new StatusError('BadRequest', `${loadedMax} models are loaded already; unload one first`);
    loading.add(name);
    let folder: string | undefined;
    try {
      const { path, version } = await source.locate(name);
      folder = path;
      const stamp = await stampOf(path);
      stamps.set(name, stamp);
      const { onnx, labels, settings } = await readModelFolder(path);
      if ((await stampOf(path)) !== stamp) {
        stamps.delete(name);
        folder = undefined;
        throw new Error('its files changed while they were read; it will be read again');
      }
      const session = await start(name, onnx);
      const old = loaded.get(name);
      loaded.set(name, { name, version, labels, session, settings });
      reasons.delete(name);
      await old?.session.close();
    } catch (error) {
      reasons.set(name, messageOf(error));
      const served = loaded.get(name);
      if (served && folder !== undefined)
        served.refused = { message: messageOf(error), weights: await weightsDigestOf(folder) };
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

  async function isChanged(name: string): Promise<boolean> {
    try {
      const { path } = await source.locate(name);
      return (await stampOf(path)) !== stamps.get(name);
    } catch {
      // The folder is gone, or is just being replaced: what is loaded goes on.
      return false;
    }
  }

  return {
    loaded,
    async index() {
      const all = new Set([...(await source.names()), ...loaded.keys()]);
      return [...all].map((name) => entryOf(name, loaded.get(name), loading.has(name), reasons.get(name)));
    },
    load: (name) => inOrder(() => load(name)),
    unload: (name) => inOrder(() => unload(name)),
    async changed() {
      const names: string[] = [];
      for (const name of loaded.keys()) if (await isChanged(name)) names.push(name);
      return names;
    },
    close: () =>
      inOrder(async () => {
        await Promise.all([...loaded.values()].map(({ session }) => session.close()));
        loaded.clear();
      }),
  };
}

/** The identity of a model's files: place, size and time of change; other content shows in these. */
async function stampOf(path: string): Promise<string> {
  const parts = modelFiles.map(async (file) => {
    try {
      const { ino, size, mtimeMs } = await stat(join(path, file));
      return `${file} ${ino} ${size} ${mtimeMs}`;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
      throw error;
    }
  });
  return `${path}\n${(await Promise.all(parts)).join('\n')}`;
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
