/**
 * Whether the annotation `selvage.dev/egress` grants `host:port`. An entry is `host:port`, `*.domain:port` or, for any
 * port, `host:*`; names are compared without case.
 */
export function isEgressGranted(grants: readonly string[], host: string, port: number): boolean {
  const wanted = host.toLowerCase().replace(/\.$/, '');
  return grants.some((grant) => {
    const at = grant.lastIndexOf(':');
    if (at <= 0) return false;
    const grantedPort = grant.slice(at + 1).trim();
    if (grantedPort !== '*' && Number(grantedPort) !== port) return false;
    const name = grant
      .slice(0, at)
      .trim()
      .toLowerCase()
      .replace(/^\[|\]$/g, '');
    return name.startsWith('*.') ? wanted.endsWith(name.slice(1)) : name === wanted;
  });
}
