import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { orMissing, writeDurably } from '../../oci/durable-file.ts';
import type { RoundsState } from './rounds.ts';

/** What the clients' examples look like. */
export interface DataForm {
  shape: number[];
  classNames?: string[] | undefined;
}

/** What a coordinator knows, so that it may die at any moment: a round has ended once its state is written. */
export interface RoundFolder {
  /** The state and the weights of its round; undefined in a new folder. */
  load(): Promise<{ state: RoundsState; weights: Uint8Array } | undefined>;
  save(state: RoundsState): Promise<void>;
  /** The state together with the weights that its round begins with. Updates of ended rounds are forgotten. */
  saveRound(state: RoundsState, weights: Uint8Array): Promise<void>;
  saveUpdate(round: number, client: string, bytes: Uint8Array): Promise<void>;
  readUpdate(round: number, client: string): Promise<Uint8Array>;
  dataForm(): Promise<DataForm | undefined>;
  saveDataForm(form: DataForm): Promise<void>;
  /** What was in service when the final weights were first compared with it. */
  servingImage(): Promise<string | undefined>;
  saveServingImage(image: string): Promise<void>;
}

export async function openRoundFolder(folder: string): Promise<RoundFolder> {
  const [updates, temporary] = [join(folder, 'updates'), join(folder, 'tmp')];
  // What an earlier process was writing.
  await rm(temporary, { recursive: true, force: true });
  for (const path of [updates, temporary]) await mkdir(path, { recursive: true });
  const write = (name: string, content: string | Uint8Array) =>
    writeDurably(join(folder, name), content, temporary);
  const readJson = async <T>(name: string): Promise<T | undefined> => {
    const text = await orMissing(readFile(join(folder, name), 'utf8'));
    // Only this module writes these files, and whole.
    return text === undefined ? undefined : (JSON.parse(text) as T);
  };
  const updateFile = (round: number, client: string) => join('updates', `${round}-${client}.safetensors`);
  const weightsFile = (round: number) => `weights-${round}.safetensors`;
  const save = (state: RoundsState) => write('state.json', JSON.stringify(state));

  /** Files that the state speaks of no more. */
  async function sweep({ round, received }: RoundsState): Promise<void> {
    const kept = new Set(received.map((update) => updateFile(update.round, update.client)));
    for (const name of await readdir(updates)) {
      const path = join('updates', name);
      if (!kept.has(path)) await rm(join(folder, path), { force: true });
    }
    for (const name of await readdir(folder)) {
      if (/^weights-\d+\.safetensors$/.test(name) && name !== weightsFile(round)) {
        await rm(join(folder, name), { force: true });
      }
    }
  }

  return {
    async load() {
      const state = await readJson<RoundsState>('state.json');
      if (!state) return undefined;
      await sweep(state);
      return { state, weights: await readFile(join(folder, weightsFile(state.round))) };
    },
    save,
    async saveRound(state, weights) {
      await write(weightsFile(state.round), weights);
      await save(state);
      await sweep(state);
    },
    saveUpdate: (round, client, bytes) => write(updateFile(round, client), bytes),
    readUpdate: (round, client) => readFile(join(folder, updateFile(round, client))),
    dataForm: () => readJson<DataForm>('data.json'),
    saveDataForm: (form) => write('data.json', JSON.stringify(form)),
    servingImage: async () => (await readJson<{ image: string }>('serving.json'))?.image,
    saveServingImage: (image) => write('serving.json', JSON.stringify({ image })),
  };
}
