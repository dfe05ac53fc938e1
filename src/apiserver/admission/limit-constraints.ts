import type { LimitRangeItem } from '../../api/kinds/limitRange.ts';
import { canonicalQuantity, compareQuantities, quantityNumber } from '../../api/quantity.ts';

export type Amounts = Record<string, string>;

interface Subject {
  requests: Amounts;
  limits: Amounts;
}

/** What of a container, a pod or a claim is outside of an item's bounds, in Kubernetes' words. */
export function violations(item: LimitRangeItem, { requests, limits }: Subject): string[] {
  const wrong: (string | undefined)[] = [];
  for (const [name, bound] of Object.entries(item.min ?? {})) {
    wrong.push(minimum(item.type, name, bound, [requests[name], limits[name]]));
  }
  for (const [name, bound] of Object.entries(item.max ?? {})) {
    wrong.push(maximum(item.type, name, bound, [requests[name], limits[name]]));
  }
  for (const [name, bound] of Object.entries(item.maxLimitRequestRatio ?? {})) {
    wrong.push(ratio(item.type, name, bound, [requests[name], limits[name]]));
  }
  return wrong.filter((why) => why !== undefined);
}

type Pair = [request: string | undefined, limit: string | undefined];

function minimum(type: string, name: string, bound: string, [request, limit]: Pair): string | undefined {
  const text = `minimum ${name} usage per ${type} is ${canonicalQuantity(bound)}`;
  if (request === undefined) return `${text}.  No request is specified`;
  if (compareQuantities(request, bound) < 0) return `${text}, but request is ${canonicalQuantity(request)}`;
  if (limit !== undefined && compareQuantities(limit, bound) < 0) {
    return `${text}, but limit is ${canonicalQuantity(limit)}`;
  }
  return undefined;
}

function maximum(type: string, name: string, bound: string, [request, limit]: Pair): string | undefined {
  const text = `maximum ${name} usage per ${type} is ${canonicalQuantity(bound)}`;
  if (type === 'PersistentVolumeClaim') {
    if (request === undefined) return `${text}.  No request is specified`;
    return compareQuantities(request, bound) > 0
      ? `${text}, but request is ${canonicalQuantity(request)}`
      : undefined;
  }
  if (limit === undefined) return `${text}.  No limit is specified`;
  if (compareQuantities(limit, bound) > 0) return `${text}, but limit is ${canonicalQuantity(limit)}`;
  if (request !== undefined && compareQuantities(request, bound) > 0) {
    return `${text}, but request is ${canonicalQuantity(request)}`;
  }
  return undefined;
}

function ratio(type: string, name: string, bound: string, [request, limit]: Pair): string | undefined {
  const text = `${name} max limit to request ratio per ${type} is ${canonicalQuantity(bound)}`;
  if (request === undefined || compareQuantities(request, 0) === 0) {
    return `${text}, but no request is specified or request is 0`;
  }
  if (limit === undefined || compareQuantities(limit, 0) === 0) {
    return `${text}, but no limit is specified or limit is 0`;
  }
  const observed = quantityNumber(limit) / quantityNumber(request);
  return observed > quantityNumber(bound)
    ? `${text}, but provided ratio is ${observed.toFixed(6)}`
    : undefined;
}
