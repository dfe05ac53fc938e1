import { resolve } from 'node:path';
import type { Grant } from '../node/pods/grants.ts';

/** Options of every command that starts a node: what its pods may ask for. */
export const allowAddonsOption: [string, string] = [
  '--allow-addons',
  'give pods native code and workers if they ask (selvage.dev/grants); such pods are not sandboxed: they can do on this machine whatever the user that runs selvage can',
];
export const allowLocalEgressOption: [string, string] = [
  '--allow-local-egress',
  'let selvage.dev/egress of pods name loopback and link-local addresses, so that pods can reach whatever listens on this machine',
];

export const allowHostPathOption: [string, string, (value: string, all: string[]) => string[], string[]] = [
  '--allow-host-path <folder>',
  'let pods mount this folder of the machine, with all that is in it, also to write to; may be given several times',
  (value, all) => [...all, resolve(value)],
  [],
];

export function grantsAllowed(flags: { allowAddons?: true; allowLocalEgress?: true }): Grant[] {
  return [
    ...(flags.allowAddons ? (['worker', 'addons'] as const) : []),
    ...(flags.allowLocalEgress ? (['local-egress'] as const) : []),
  ];
}
