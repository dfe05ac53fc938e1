import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Returns what collects everything at once, and gives the pages that this leaves empty back to the system. */
export function garbageCollector(): () => void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as (options: { type: 'major'; flavor: 'last-resort' }) => void;
  setFlagsFromString('--no-expose-gc');
  // Of all kinds of collection, this alone also gives up the pages that V8 pools.
  return () => collect({ type: 'major', flavor: 'last-resort' });
}
