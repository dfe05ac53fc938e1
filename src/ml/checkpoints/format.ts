/** One checkpoint as one safetensors file: `weights/NAME`, `SLOT/NAME` for each parameter, `callback/INDEX` for the
 * weights that callbacks keep, and everything else as JSON in the file's metadata. */
import type { PlacedParameter } from '../architecture.ts';
import type { CallbackState } from '../callbacks/callback.ts';
import {
  decodeSafetensors,
  encodeSafetensors,
  type NamedTensor,
  readMetadata,
} from '../export/safetensors.ts';
import type { Checkpoint, Restored } from './checkpoints.ts';

/** What a checkpoint must be of to fit a training. */
export interface Training {
  parameters: readonly Pick<PlacedParameter, 'name' | 'shape' | 'offset' | 'size'>[];
  /** The optimizer's slots. */
  slots: readonly string[];
  /** Figures that must be the same for a training to be the same, for people to read. */
  training: Record<string, unknown>;
}

interface Header {
  version: 1;
  training: Training['training'];
  iteration: number;
  position: Checkpoint['position'];
  isDone: boolean;
  learningRate: number | null;
  callbacks: (unknown | null)[];
}

export function encodeCheckpoint(
  { state, position, isDone, learningRate, callbacks }: Checkpoint,
  { parameters, slots, training }: Training,
): Uint8Array {
  const tensorsOf = (group: string, vector: Float32Array): NamedTensor[] =>
    parameters.map(({ name, shape, offset, size }) => ({
      name: `${group}/${name}`,
      shape,
      data: vector.subarray(offset, offset + size),
    }));
  const kept = callbacks.flatMap((callback, index): NamedTensor[] =>
    callback?.weights
      ? [{ name: `callback/${index}`, shape: [callback.weights.length], data: callback.weights }]
      : [],
  );
  const header: Header = {
    version: 1,
    training,
    iteration: state.iteration,
    position,
    isDone,
    learningRate: learningRate ?? null,
    callbacks: callbacks.map((callback) => callback?.values ?? null),
  };
  const vectors = [
    ...tensorsOf('weights', state.weights),
    ...slots.flatMap((slot, index) => tensorsOf(slot, state.slots[index]!)),
  ];
  return encodeSafetensors([...vectors, ...kept], { checkpoint: JSON.stringify(header, spellNumbers) });
}

/** @throws Error where the file is damaged or of another training, with what differs. */
export function decodeCheckpoint(bytes: Uint8Array, { parameters, slots, training }: Training): Restored {
  const locations = decodeSafetensors(bytes);
  const text = readMetadata(bytes).checkpoint;
  if (text === undefined) throw new Error('the file is no checkpoint: its metadata have no "checkpoint"');
  const header = JSON.parse(text, readNumbers) as Header;
  requireSameTraining(header.training, training);
  const values = (name: string, size: number): Float32Array => {
    const found = locations.get(name);
    if (!found || found.length !== size * 4)
      throw new Error(
        `it has ${found ? found.length / 4 : 'no'} values for ${name}, the model needs ${size}`,
      );
    // A copy, since the numbers need not be aligned in the file.
    return new Float32Array(new Uint8Array(bytes.subarray(found.offset, found.offset + found.length)).buffer);
  };
  const vector = (group: string): Float32Array => {
    const all = new Float32Array(parameters.reduce((total, { size }) => total + size, 0));
    for (const { name, offset, size } of parameters) all.set(values(`${group}/${name}`, size), offset);
    return all;
  };
  return {
    state: { weights: vector('weights'), slots: slots.map(vector), iteration: header.iteration },
    position: header.position,
    isDone: header.isDone,
    learningRate: header.learningRate ?? undefined,
    callbacks: header.callbacks.map((remembered, index): CallbackState | undefined => {
      const kept = locations.get(`callback/${index}`);
      if (remembered === null && !kept) return undefined;
      return { values: remembered, weights: kept && values(`callback/${index}`, kept.length / 4) };
    }),
  };
}

function requireSameTraining(found: Training['training'], expected: Training['training']): void {
  for (const [name, value] of Object.entries(expected)) {
    if (JSON.stringify(found[name]) === JSON.stringify(value)) continue;
    throw new Error(
      `it is of a training with ${name} ${JSON.stringify(found[name])}, this one has ${JSON.stringify(value)}: ` +
        'give another folder, or the same options',
    );
  }
}

/** JSON has no infinite numbers and no NaN. */
const odd = ['NaN', 'Infinity', '-Infinity'];

const spellNumbers = (_key: string, value: unknown): unknown =>
  typeof value === 'number' && !Number.isFinite(value) ? { $number: String(value) } : value;

function readNumbers(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !('$number' in value)) return value;
  return odd.includes(String(value.$number)) ? Number(value.$number) : value;
}
