/** Applies `change` to each element, to several at a time; the results come in the order of the elements. */
export async function* mapParallel<T, U>(
  elements: AsyncIterable<T> | Iterable<T>,
  change: (element: T, index: number) => U | Promise<U>,
  parallel: number,
): AsyncGenerator<U> {
  const running: Promise<U>[] = [];
  const breathe = breather();
  let index = 0;
  for await (const element of elements) {
    await breathe();
    const result = (async () => change(element, index))();
    // Failures are met in order, below; one behind another must not end the process.
    result.catch(() => {});
    running.push(result);
    index += 1;
    if (running.length >= parallel) yield await running.shift()!;
  }
  while (running.length > 0) yield await running.shift()!;
}

/** Draws up to `count` elements before they are asked for. */
export async function* prefetched<T>(
  elements: AsyncIterable<T> | Iterable<T>,
  count: number,
): AsyncGenerator<T> {
  const iterator = everyOne(elements);
  const ahead: Promise<IteratorResult<T>>[] = [];
  const draw = () => {
    const next = iterator.next();
    next.catch(() => {});
    ahead.push(next);
  };
  try {
    while (ahead.length < count) draw();
    for (;;) {
      const next = await ahead.shift()!;
      if (next.done) return;
      draw();
      yield next.value;
    }
  } finally {
    await iterator.return(undefined);
  }
}

async function* everyOne<T>(elements: AsyncIterable<T> | Iterable<T>): AsyncGenerator<T> {
  yield* elements;
}

/** Elements are made in the thread that asks for them; this long at a time, before others get their turn. */
const stretchMs = 5;

/** A function that now and then, and only then, waits for the event loop. */
export function breather(): () => Promise<void> | undefined {
  let sinceMs = performance.now();
  return () => {
    if (performance.now() - sinceMs < stretchMs) return undefined;
    return new Promise((resolve) => {
      const goOn = () => {
        sinceMs = performance.now();
        resolve();
      };
      // Browsers have timers only.
      if (typeof setImmediate === 'function') setImmediate(goOn);
      else setTimeout(goOn, 0);
    });
  };
}
