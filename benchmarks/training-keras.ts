import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/** Keras in a process of its own (training-keras.py), asked for one measurement at a time. */
export async function startKeras(python: string, threads: number, images: number) {
  const script = new URL('./training-keras.py', import.meta.url).pathname;
  const env = { KERAS_BACKEND: 'tensorflow', TF_CPP_MIN_LOG_LEVEL: '3', ...process.env };
  const child = spawn(python, [script, String(threads), String(images)], {
    env,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const nextLine = async (): Promise<string> => {
    const { value, done } = await lines.next();
    if (done)
      throw new Error(`${python} ended: it needs keras and its backend (tensorflow, or $KERAS_BACKEND)`);
    return value;
  };
  return {
    /** As Keras and its backend name themselves. */
    name: await nextLine(),
    /** Images a second of one epoch. */
    async imagesPerSecond(batchSize: number): Promise<number> {
      child.stdin.write(`${batchSize}\n`);
      return Number(await nextLine());
    },
    close: () => child.stdin.end(),
  };
}
