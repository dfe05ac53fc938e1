import { invalid } from '../api/invalid.ts';
import { goQuoted } from '../api/report.ts';
import type { StatusCause, StatusError } from '../base/errors.ts';
import type { ApiRequest } from '../client/transport.ts';
import { badRequest } from './failures.ts';
import { isTrue } from './request-info.ts';

export type FieldValidation = 'Strict' | 'Warn' | 'Ignore';

/** `metav1.CreateOptions`, `UpdateOptions` and `PatchOptions`, as far as this server uses them. */
export interface WriteOptions {
  dryRun: boolean;
  fieldValidation: FieldValidation;
}

const optionsOf: Partial<Record<ApiRequest['method'], string>> = {
  PUT: 'UpdateOptions',
  PATCH: 'PatchOptions',
};

/** Reads the options of a write from its query; refuses unknown values as Kubernetes does. */
export function readWriteOptions({ method, query }: Pick<ApiRequest, 'method' | 'query'>): WriteOptions {
  const options = optionsOf[method] ?? 'CreateOptions';
  const fieldValidation = query.get('fieldValidation') || 'Warn';
  if (fieldValidation !== 'Strict' && fieldValidation !== 'Warn' && fieldValidation !== 'Ignore') {
    throw unsupportedOption(options, 'fieldValidation', JSON.stringify(fieldValidation), [
      '',
      'Ignore',
      'Strict',
      'Warn',
    ]);
  }
  return { dryRun: readDryRun(query.getAll('dryRun'), options), fieldValidation };
}

function readDryRun(values: readonly string[], options: string): boolean {
  const given = values.filter((value) => value !== '');
  const unknown = given.find((value) => value !== 'All');
  if (unknown !== undefined) {
    throw unsupportedOption(options, 'dryRun', `[]string{${given.map(goQuoted).join(', ')}}`, ['All']);
  }
  return given.length > 0;
}

function unsupportedOption(
  options: string,
  field: string,
  value: string,
  supported: readonly string[],
): StatusError {
  const values = supported.map((one) => JSON.stringify(one)).join(', ');
  const message = `Unsupported value: ${value}: supported values: ${values}`;
  return invalid({ group: 'meta.k8s.io', kind: options }, '', [
    { field, reason: 'FieldValueNotSupported', message },
  ]);
}

/** `metav1.DeleteOptions`. */
export interface DeleteOptions {
  gracePeriodSeconds?: number | undefined;
  propagationPolicy?: 'Orphan' | 'Background' | 'Foreground' | undefined;
  preconditions?: { uid?: string; resourceVersion?: string } | undefined;
  dryRun: boolean;
  /** True for a part of a request that admission has let in as a whole; never a client's word. */
  isAdmitted?: true;
}

/** Reads delete options from the body where there is one, else from the query. */
export function readDeleteOptions(query: URLSearchParams, body: unknown): DeleteOptions {
  const source = isRecord(body) ? body : fromQuery(query);
  const { gracePeriodSeconds, orphanDependents, preconditions } = source;
  let { propagationPolicy } = source;
  if (gracePeriodSeconds !== undefined && gracePeriodSeconds !== null) {
    if (!Number.isInteger(gracePeriodSeconds)) throw badRequest('gracePeriodSeconds must be a whole number');
  }
  if (orphanDependents !== undefined && orphanDependents !== null) {
    propagationPolicy ??= orphanDependents === true ? 'Orphan' : 'Background';
  }
  if (propagationPolicy && !['Orphan', 'Background', 'Foreground'].includes(String(propagationPolicy))) {
    throw unsupportedOption('DeleteOptions', 'propagationPolicy', JSON.stringify(propagationPolicy), [
      'Foreground',
      'Background',
      'Orphan',
      'nil',
    ]);
  }
  const dryRun = [source.dryRun ?? [], query.getAll('dryRun')].flat().map(String);
  return {
    gracePeriodSeconds: typeof gracePeriodSeconds === 'number' ? Math.max(0, gracePeriodSeconds) : undefined,
    propagationPolicy: (propagationPolicy || undefined) as DeleteOptions['propagationPolicy'],
    preconditions: isRecord(preconditions) ? (preconditions as { uid?: string }) : undefined,
    dryRun: readDryRun(dryRun, 'DeleteOptions'),
  };
}

function fromQuery(query: URLSearchParams): Record<string, unknown> {
  const grace = query.get('gracePeriodSeconds');
  const orphan = query.get('orphanDependents');
  return {
    gracePeriodSeconds: grace ? Number(grace) : undefined,
    propagationPolicy: query.get('propagationPolicy') ?? undefined,
    orphanDependents: orphan === null ? undefined : isTrue(orphan),
  };
}

/** `metav1.ListOptions`. */
export interface ListOptions {
  labelSelector: string;
  fieldSelector: string;
  limit: number | undefined;
  continueToken: string | undefined;
  resourceVersion: string | undefined;
  resourceVersionMatch: 'Exact' | 'NotOlderThan' | undefined;
  allowWatchBookmarks: boolean;
  sendInitialEvents: boolean | undefined;
  timeoutSeconds: number | undefined;
}

export function readListOptions(query: URLSearchParams): ListOptions {
  const initial = query.get('sendInitialEvents');
  const limit = integer(query, 'limit') ?? 0;
  return {
    labelSelector: query.get('labelSelector') ?? '',
    fieldSelector: query.get('fieldSelector') ?? '',
    limit: limit > 0 ? limit : undefined,
    continueToken: query.get('continue') || undefined,
    resourceVersion: query.get('resourceVersion') || undefined,
    // What else it may be, the checks below refuse.
    resourceVersionMatch: (query.get('resourceVersionMatch') ||
      undefined) as ListOptions['resourceVersionMatch'],
    allowWatchBookmarks: isTrue(query.get('allowWatchBookmarks')),
    sendInitialEvents: initial === null || initial === '' ? undefined : isTrue(initial),
    timeoutSeconds: integer(query, 'timeoutSeconds'),
  };
}

/** Throws Invalid, in Kubernetes' words, for options that do not go together in a list. */
export function checkListOptions(options: ListOptions): void {
  const { resourceVersionMatch: match, resourceVersion, continueToken, sendInitialEvents } = options;
  const causes: StatusCause[] = [];
  const forbid = (message: string) => causes.push(forbidden('resourceVersionMatch', message));
  if (match !== undefined) {
    if (resourceVersion === undefined) {
      forbid('resourceVersionMatch is forbidden unless resourceVersion is provided');
    }
    if (continueToken !== undefined) forbid('resourceVersionMatch is forbidden when continue is provided');
    if (match !== 'Exact' && match !== 'NotOlderThan') {
      causes.push(unsupportedMatch(match, ['Exact', 'NotOlderThan', '']));
    }
    if (match === 'Exact' && resourceVersion === '0') {
      forbid('resourceVersionMatch "exact" is forbidden for resourceVersion "0"');
    }
  }
  if (sendInitialEvents !== undefined) {
    causes.push(forbidden('sendInitialEvents', 'sendInitialEvents is forbidden for list'));
  }
  if (causes.length > 0) throw invalidListOption(causes);
}

/** The same for a watch. */
export function checkWatchOptions(options: ListOptions): void {
  const { resourceVersionMatch: match, continueToken, sendInitialEvents } = options;
  const causes: StatusCause[] = [];
  const forbid = (message: string) => causes.push(forbidden('resourceVersionMatch', message));
  if (sendInitialEvents !== undefined && match !== 'NotOlderThan') {
    forbid('sendInitialEvents requires setting resourceVersionMatch to NotOlderThan');
  }
  if (match !== undefined) {
    if (sendInitialEvents === undefined) {
      forbid('resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided');
    }
    if (match !== 'NotOlderThan') causes.push(unsupportedMatch(match, ['NotOlderThan']));
    if (continueToken !== undefined) forbid('resourceVersionMatch is forbidden when continue is provided');
  }
  if (causes.length > 0) throw invalidListOption(causes);
}

function forbidden(field: string, message: string): StatusCause {
  return { reason: 'FieldValueForbidden', message: `Forbidden: ${message}`, field };
}

function unsupportedMatch(match: string, supported: readonly string[]): StatusCause {
  const values = supported.map((value) => JSON.stringify(value)).join(', ');
  const message = `Unsupported value: ${JSON.stringify(match)}: supported values: ${values}`;
  return { reason: 'FieldValueNotSupported', message, field: 'resourceVersionMatch' };
}

export function invalidListOption(causes: readonly StatusCause[]): StatusError {
  return invalid({ group: 'meta.k8s.io', kind: 'ListOptions' }, '', causes);
}

function integer(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null || text === '') return undefined;
  if (!/^[+-]?\d{1,15}$/.test(text)) {
    throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
  }
  return Number(text);
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
