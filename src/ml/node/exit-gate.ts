/** Lets a process exit while a worker thread uses onnxruntime. Node tears worker threads down at exit, and the
 * native library aborts the whole process if that happens inside one of its calls; so the exit waits for the
 * call at hand, and the worker starts no other. */
import type { Runtime, Session } from '../runtime.ts';

/** Index of the count of native calls under way. */
const calls = 0;
const closed = 1;

/** An exit waits at most this long for a native call; a batch takes milliseconds. */
const exitWaitMaxMs = 5000;

const gates = new Set<Int32Array>();
let isListening = false;

/** In the main thread: a gate to hand to a worker, in force until `dropGate`. */
export function openGate(): Int32Array {
  const gate = new Int32Array(new SharedArrayBuffer(8));
  gates.add(gate);
  if (!isListening) process.on('exit', closeAll);
  isListening = true;
  return gate;
}

export function dropGate(gate: Int32Array): void {
  gates.delete(gate);
}

function closeAll(): void {
  for (const gate of gates) Atomics.store(gate, closed, 1);
  const deadlineMs = performance.now() + exitWaitMaxMs;
  for (const gate of gates) {
    let count = Atomics.load(gate, calls);
    while (count > 0 && performance.now() < deadlineMs) {
      Atomics.wait(gate, calls, count, deadlineMs - performance.now());
      count = Atomics.load(gate, calls);
    }
  }
}

/** In the worker: a runtime whose native calls pass the gate. */
export function gated(runtime: Runtime, gate: Int32Array): Runtime {
  async function pass<T>(call: () => Promise<T>): Promise<T> {
    Atomics.add(gate, calls, 1);
    try {
      if (Atomics.load(gate, closed) === 1) throw new Error('The process is exiting');
      return await call();
    } finally {
      Atomics.sub(gate, calls, 1);
      Atomics.notify(gate, calls);
    }
  }
  const gatedSession = (session: Session): Session => ({
    run: (feeds) => pass(() => session.run(feeds)),
    release: () => pass(() => session.release()),
  });
  return { open: (model, options) => pass(async () => gatedSession(await runtime.open(model, options))) };
}
