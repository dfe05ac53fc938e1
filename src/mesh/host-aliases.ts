/** Names that a pod has for addresses: `spec.hostAliases`. */
export type HostAliases = Readonly<Record<string, string>>;

/** The names, in lower case, with the addresses that they stand for; the first line holds, as in `/etc/hosts`. */
export function hostAliasesOf(
  lines: readonly { ip: string; hostnames?: readonly string[] | undefined }[],
): HostAliases {
  const aliases: Record<string, string> = Object.create(null);
  for (const { ip, hostnames = [] } of lines) {
    for (const hostname of hostnames) aliases[hostname.toLowerCase()] ??= ip;
  }
  return aliases;
}

/** What a host is asked at. */
export function aliased(aliases: HostAliases, host: string): string {
  return Object.hasOwn(aliases, host.toLowerCase()) ? aliases[host.toLowerCase()]! : host;
}
