import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Clock } from '../../base/clock.ts';
import { readLog } from '../kubelet/log-reader.ts';
import type { Channels } from './channels.ts';

/** Sends what the container prints from now on until it ends or the client goes. It has no stdin to write to. */
export async function attach(
  channels: Channels,
  log: { path: string; clock: Clock; isAlive: () => boolean },
  wanted: { stdout: boolean; stderr: boolean },
): Promise<void> {
  channels.stdin.resume();
  const query = { follow: true, previous: false, timestamps: false, tailLines: 0 };
  const follow = async (stream: 'stdout' | 'stderr') => {
    if (!wanted[stream]) return;
    const lines = readLog({ ...log, query: { ...query, stream }, signal: channels.signal });
    await pipeline(Readable.from(lines), channels[stream], { end: false });
  };
  await Promise.all([follow('stdout'), follow('stderr')]);
  await channels.finish({ metadata: {}, status: 'Success' });
}
