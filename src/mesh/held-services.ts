/** On a Node: Services that requests of its pods wait for, `namespace/name=time`, separated by commas. */
export const heldAnnotation = 'selvage.dev/held-services';

export function formatHeld(services: Iterable<readonly [service: string, time: string]>): string {
  return [...services].map(([service, time]) => `${service}=${time}`).join(',');
}

/** Services and when they were told; what is no such entry is none. */
export function parseHeld(text: string | undefined): Map<string, string> {
  const entries = (text ?? '').split(',').map((entry) => /^([a-z0-9.-]+\/[a-z0-9.-]+)=(.+)$/.exec(entry));
  return new Map(entries.flatMap((found) => (found ? [[found[1]!, found[2]!] as const] : [])));
}
