import type { MapThreads } from '../node/map-threads.ts';
import { permutation, randomGenerator } from '../random.ts';
import { mix } from '../random-inputs.ts';
import type { Tensor } from '../tensor.ts';
import type { Batch, NamedBatch } from '../training/engine.ts';
import { breather, mapParallel, prefetched } from './ahead.ts';
import { collateNamed, type Example, type NamedExample, sizeInBytes } from './example.ts';

/** What a stage may use to make an element: numbers in [0, 1) that depend on its place, the epoch and the seed. */
export interface MapContext {
  random: () => number;
  /** The element's place in the pass, from 0. */
  index: number;
}

/** How a module's function changes elements. */
export interface ModuleMapOptions {
  seed?: number;
  /** Elements that are worked on or wait to be taken; four a thread by default. */
  parallel?: number;
  /** The function's export; the default one if absent. */
  name?: string;
  /** All processors but one by default. */
  threads?: number;
}

/** One is worked on, and others are on their way there and back. */
const elementsAThread = 4;

interface Origin {
  /** Examples in one pass, where that is known. */
  examples?: number | undefined;
  /** Stages so far: each has random numbers of its own. */
  depth?: number;
}

/** What `cache` holds at most, unless it is told. */
const cacheBytesMax = 2 ** 30;

/** Elements that come one after the other, pass after pass: read, changed, mixed and batched while a training takes
 * them, so that a set may be larger than the memory. As tf.data's Dataset: each method gives a new one. The same
 * epoch always gives the same elements. */
export class Dataset<T> implements AsyncIterable<T> {
  /** Examples in one pass; undefined where that is not known. */
  readonly examples: number | undefined;
  readonly #open: (epoch: number) => AsyncIterable<T> | Iterable<T>;
  readonly #depth: number;

  constructor(open: (epoch: number) => AsyncIterable<T> | Iterable<T>, { examples, depth = 0 }: Origin = {}) {
    this.#open = open;
    this.#depth = depth;
    this.examples = examples;
  }

  /** The elements of one epoch, from 0. */
  pass(epoch: number): AsyncIterable<T> | Iterable<T> {
    return this.#open(epoch);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    yield* this.pass(0);
  }

  /** Changes each element. `parallel` are worked on at a time; their order stays. A function works in this thread; one
   * of a module, by its URL, in threads of its own, to and from which the elements are copied.
   *
   *     images.map<Example>(new URL('./augment.ts', import.meta.url), { name: 'blur' }) */
  map<U>(
    change: (element: T, context: MapContext) => U | Promise<U>,
    options?: { seed?: number; parallel?: number },
  ): Dataset<U>;
  map<U = T>(module: URL, options?: ModuleMapOptions): Dataset<U>;
  map<U>(
    change: ((element: T, context: MapContext) => U | Promise<U>) | URL,
    { seed = 0, ...options }: ModuleMapOptions = {},
  ): Dataset<U> {
    if (change instanceof URL) return this.#mapByModule(change, seed, options);
    const { parallel = 1 } = options;
    const applyAt = (epoch: number) => (element: T, index: number) =>
      change(element, { index, random: this.#random(seed, epoch, index) });
    return this.#next((epoch) => mapParallel(this.pass(epoch), applyAt(epoch), parallel), this.examples);
  }

  #mapByModule<U>(module: URL, seed: number, options: Omit<ModuleMapOptions, 'seed'>): Dataset<U> {
    const { name = 'default', threads, parallel } = options;
    if (threads !== undefined) requireCount('map: threads', threads);
    if (parallel !== undefined) requireCount('map: parallel', parallel);
    let opened: Promise<[MapThreads, threads: number]> | undefined;
    const open = async (): Promise<[MapThreads, threads: number]> => {
      // Threads are for Node alone, so they are loaded where they are asked for.
      const { MapThreads, mapThreads } = await import('../node/map-threads.ts');
      const count = threads ?? mapThreads();
      return [new MapThreads(module, { name, threads: count }), count];
    };
    return this.#next(async function* (this: Dataset<T>, epoch) {
      opened ??= open();
      const [pool, count] = await opened;
      const applyAt = (element: T, index: number) =>
        // What a module's function gives is for its caller to say.
        pool.change({ element, index, randomSeed: this.#seed(seed, epoch, index) }) as Promise<U>;
      yield* mapParallel(this.pass(epoch), applyAt, parallel ?? elementsAThread * count);
    }, this.examples);
  }

  /** Leaves out the elements that do not pass. */
  filter(isKept: (element: T) => boolean): Dataset<T> {
    return this.#next(async function* (this: Dataset<T>, epoch) {
      for await (const element of this.pass(epoch)) if (isKept(element)) yield element;
    });
  }

  /** Mixes: each element is drawn from the next `bufferSize`, otherwise in every epoch. */
  shuffle(
    bufferSize: number,
    { seed = 0, reshuffleEachIteration = true }: { seed?: number; reshuffleEachIteration?: boolean } = {},
  ): Dataset<T> {
    requireCount('shuffle', bufferSize);
    return this.#next(async function* (this: Dataset<T>, epoch) {
      const random = this.#random(seed, reshuffleEachIteration ? epoch : 0, 0);
      const buffer: T[] = [];
      for await (const element of this.pass(epoch)) {
        if (buffer.length < bufferSize) buffer.push(element);
        else {
          const at = Math.floor(random() * bufferSize);
          yield buffer[at]!;
          buffer[at] = element;
        }
      }
      for (const at of permutation(buffer.length, random)) yield buffer[at]!;
    }, this.examples);
  }

  /** Puts `size` examples into one batch; the last may be smaller. */
  batch(this: Dataset<Example>, size: number, options?: { dropRemainder?: boolean }): Dataset<Batch>;
  batch(
    this: Dataset<NamedExample>,
    size: number,
    options?: { dropRemainder?: boolean },
  ): Dataset<NamedBatch>;
  batch(
    this: Dataset<NamedExample>,
    size: number,
    { dropRemainder = false }: { dropRemainder?: boolean } = {},
  ): Dataset<NamedBatch> {
    requireCount('batch', size);
    const rest = dropRemainder ? (this.examples ?? 0) % size : 0;
    return this.#next(
      async function* (this: Dataset<NamedExample>, epoch) {
        let waiting: NamedExample[] = [];
        const breathe = breather();
        for await (const example of this.pass(epoch)) {
          await breathe();
          waiting.push(example);
          if (waiting.length < size) continue;
          yield collateNamed(waiting);
          waiting = [];
        }
        if (waiting.length > 0 && !dropRemainder) yield collateNamed(waiting);
      },
      this.examples === undefined ? undefined : this.examples - rest,
    );
  }

  /** Several passes as one, for ever without a count; they are mixed anew each time. */
  repeat(count = Infinity): Dataset<T> {
    return this.#next(
      async function* (this: Dataset<T>, epoch) {
        for (let round = 0; round < count; round += 1) {
          let isEmpty = true;
          for await (const element of this.pass(Number.isFinite(count) ? epoch * count + round : round)) {
            isEmpty = false;
            yield element;
          }
          if (isEmpty) return;
        }
      },
      this.examples === undefined || count === Infinity ? undefined : this.examples * count,
    );
  }

  /** The first `count` elements. */
  take(count: number): Dataset<T> {
    return this.#next(
      async function* (this: Dataset<T>, epoch) {
        if (count <= 0) return;
        let taken = 0;
        for await (const element of this.pass(epoch)) {
          yield element;
          taken += 1;
          if (taken >= count) return;
        }
      },
      this.#ofExamples((examples) => Math.min(count, examples)),
    );
  }

  /** All but the first `count` elements. */
  skip(count: number): Dataset<T> {
    return this.#next(
      async function* (this: Dataset<T>, epoch) {
        let skipped = 0;
        for await (const element of this.pass(epoch)) {
          if (skipped < count) skipped += 1;
          else yield element;
        }
      },
      this.#ofExamples((examples) => Math.max(0, examples - count)),
    );
  }

  /** Makes up to `count` elements ahead of their use. */
  prefetch(count: number): Dataset<T> {
    requireCount('prefetch', count);
    return this.#next((epoch) => prefetched(this.pass(epoch), count), this.examples);
  }

  /** Keeps the elements of the first whole pass in memory, for the next ones: put it before `shuffle`.
   * @throws RangeError where they are larger than `bytesMax`. */
  cache({ bytesMax = cacheBytesMax }: { bytesMax?: number } = {}): Dataset<T> {
    let kept: T[] | undefined;
    return this.#next(async function* (this: Dataset<T>, epoch) {
      if (kept) return yield* kept;
      const elements: T[] = [];
      let bytes = 0;
      for await (const element of this.pass(epoch)) {
        bytes += sizeInBytes(element);
        if (bytes > bytesMax) {
          throw new RangeError(
            `cache() holds at most ${bytesMax} bytes, and element ${elements.length} goes beyond: leave it out, ` +
              'raise bytesMax or take() fewer',
          );
        }
        elements.push(element);
        yield element;
      }
      kept = elements;
    }, this.examples);
  }

  /** What `fit` takes: the batches of an epoch. Those before `fromBatch` are made and left out.
   * @throws Error where the elements are no batches. */
  async *batches({ epoch, fromBatch }: { epoch: number; fromBatch: number }): AsyncGenerator<BatchOf<T>> {
    let index = 0;
    for await (const element of this.pass(epoch)) {
      if (!isBatch(element))
        throw new Error('The elements of the data set are no batches: call batch(size) on it');
      if (index >= fromBatch) yield element as BatchOf<T>;
      index += 1;
    }
  }

  #next<U>(
    open: (this: this, epoch: number) => AsyncIterable<U> | Iterable<U>,
    examples?: number,
  ): Dataset<U> {
    return new Dataset((epoch) => open.call(this, epoch), { examples, depth: this.#depth + 1 });
  }

  /** Batches are counted otherwise than examples, so that after `batch` the number is lost. */
  #ofExamples(count: (examples: number) => number): number | undefined {
    return this.examples === undefined || this.#depth > 0 ? undefined : count(this.examples);
  }

  #random(seed: number, epoch: number, index: number): () => number {
    return randomGenerator(this.#seed(seed, epoch, index));
  }

  #seed(seed: number, epoch: number, index: number): number {
    return mix(mix(mix(seed) ^ this.#depth) ^ epoch) ^ mix(index);
  }
}

/** The batches of a set of anything else are asked for in vain. */
type BatchOf<T> = T extends NamedBatch ? T : Batch;

/** Batches hold tensors only; an example's target is none. */
function isBatch(element: unknown): boolean {
  const { y } = (element ?? {}) as Partial<NamedBatch>;
  if (typeof y !== 'object' || y === null) return false;
  return isTensor(y) || (Object.values(y).length > 0 && Object.values(y).every(isTensor));
}

const isTensor = (value: unknown): boolean => Array.isArray((value as Partial<Tensor> | undefined)?.shape);

function requireCount(method: string, count: number): void {
  if (!Number.isInteger(count) || count < 1)
    throw new RangeError(`${method}(${count}): the number must be a whole one above 0`);
}
