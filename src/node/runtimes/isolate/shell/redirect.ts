import { createReadStream, createWriteStream } from 'node:fs';
import { Readable, Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { type Applet, AppletError, print } from '../applets/applet.ts';
import { reasonOf } from '../applets/pod-files.ts';
import { type Expansion, expandWord } from './expand.ts';
import type { Redirection } from './syntax.ts';
import { SyntaxProblem } from './words.ts';

/** Where a command reads and writes. */
export type Streams = Pick<Applet, 'stdin' | 'stdout' | 'stderr'>;

/** Runs with other streams, and waits until what was written to files is there. */
export async function redirected(
  redirections: Redirection[],
  streams: Streams,
  expansionFor: (streams: Streams) => Expansion,
  action: (own: Streams) => Promise<number>,
): Promise<number> {
  if (redirections.length === 0) return action(streams);
  const own = { ...streams };
  const opened: Writable[] = [];
  try {
    for (const redirection of redirections) await redirect(redirection, own, expansionFor(own), opened);
  } catch (error) {
    if (error instanceof SyntaxProblem) throw error;
    await print(streams.stderr, `sh: ${error instanceof AppletError ? error.message : reasonOf(error)}\n`);
    return 1;
  }
  try {
    return await action(own);
  } finally {
    await Promise.all(opened.map((stream) => finished(stream.end()).catch(() => {})));
  }
}

async function redirect(
  { fd, operator, target }: Redirection,
  own: Streams,
  expansion: Expansion,
  opened: Writable[],
): Promise<void> {
  const name = await expandWord(target, expansion);
  const { files } = expansion;
  if (operator === '<') {
    own.stdin =
      name === '/dev/null'
        ? Readable.from([])
        : createReadStream(await named(name, () => files.toRead(name)));
    return;
  }
  const output: 'stdout' | 'stderr' = fd === 2 ? 'stderr' : 'stdout';
  if (operator === '>&' || name === '/dev/stdout' || name === '/dev/stderr') {
    if (!['1', '2', '/dev/stdout', '/dev/stderr'].includes(name))
      throw new SyntaxProblem(`">&${name}" is not supported by this shell`);
    own[output] = name === '2' || name === '/dev/stderr' ? own.stderr : own.stdout;
    return;
  }
  const stream =
    name === '/dev/null'
      ? new Writable({ write: (_chunk, _encoding, done) => done() })
      : createWriteStream(await named(name, () => files.toWrite(name)), {
          flags: operator === '>>' ? 'a' : 'w',
        });
  await named(name, () => opening(stream));
  stream.on('error', () => {});
  own[output] = stream;
  opened.push(stream);
}

async function named<T>(name: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    throw new AppletError(`can't open ${name}: ${reasonOf(error)}`);
  }
}

/** Resolves when a file is open, so that a folder or a full disk shows before the command runs. */
function opening(stream: Writable): Promise<void> {
  if (!('pending' in stream)) return Promise.resolve();
  return new Promise((resolve, reject) => {
    stream.once('open', () => resolve());
    stream.once('error', reject);
  });
}
