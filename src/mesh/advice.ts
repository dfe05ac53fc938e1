import type { RouteTable } from './route-table.ts';

/** Why a host that is no Service can't be reached, and what would mend it. */
export function adviseUnreachable(
  table: RouteTable,
  request: { host: string; port: number; namespace: string },
): string {
  const service = serviceMeant(request.host, request.namespace);
  if (!service) {
    const target = `${request.host}:${request.port}`;
    return `egress to ${target} is not granted; add the annotation selvage.dev/egress: "${target}" to the pod`;
  }
  const names = table.routes
    .filter((route) => route.namespace === service.namespace)
    .map((route) => route.name);
  const near = nearest(service.name, names);
  const elsewhere = table.routes.find((route) => route.name === service.name);
  const hint = near
    ? `; did you mean "${near}"?`
    : elsewhere
      ? `; did you mean "${elsewhere.name}.${elsewhere.namespace}"?`
      : '';
  return `no Service "${service.name}" in namespace "${service.namespace}"${hint}`;
}

/** A host of one label, or one that ends in `.svc`, can only have meant a Service. */
function serviceMeant(host: string, namespace: string): { name: string; namespace: string } | undefined {
  const labels = host.toLowerCase().replace(/\.$/, '').split('.');
  if (labels.length === 1 && labels[0] !== 'localhost') return { name: labels[0]!, namespace };
  const suffix = labels.slice(2).join('.');
  if (suffix === 'svc' || suffix === 'svc.cluster.local') return { name: labels[0]!, namespace: labels[1]! };
  return undefined;
}

/** The candidate within a third of the name's length in edits, if any. */
function nearest(name: string, candidates: string[]): string | undefined {
  let best: { candidate: string; distance: number } | undefined;
  for (const candidate of candidates) {
    const distance = editDistance(name, candidate);
    if (distance <= Math.max(1, name.length / 3) && (!best || distance < best.distance))
      best = { candidate, distance };
  }
  return best?.candidate;
}

/** Insertions, deletions, substitutions and swaps of neighbours (optimal string alignment). */
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitute = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const swap = isSwap ? before[j - 2]! + 1 : Number.POSITIVE_INFINITY;
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, substitute, swap));
    }
    [before, row] = [row, next];
  }
  return row[b.length]!;
}
