import { StatusError } from '../base/errors.ts';

/** How a client wants its objects. */
export interface Representation {
  as: 'object' | 'table' | 'metadata';
  format: 'json' | 'yaml';
  /** For `table`: what each row carries. */
  includeObject: 'None' | 'Metadata' | 'Object';
  /** Of the group `meta.k8s.io`, for `table` and `metadata`. */
  metaVersion: 'v1' | 'v1beta1';
}

const jsonTypes = ['application/json', 'application/*', '*/*'];

/** Picks the first representation in `Accept` that this server can give; throws NotAcceptable if there is none. */
export function negotiate(accept: string | undefined, query: URLSearchParams): Representation {
  const includeObject = query.get('includeObject') || 'Metadata';
  if (includeObject !== 'None' && includeObject !== 'Metadata' && includeObject !== 'Object') {
    throw new StatusError(
      'BadRequest',
      `Unable to convert to Table as requested: includeObject: Invalid value: ${JSON.stringify(includeObject)}: must be 'Metadata', 'Object', 'None', or empty`,
    );
  }
  for (const { type, parameters } of readAccept(accept || '*/*')) {
    const format = jsonTypes.includes(type) ? 'json' : type === 'application/yaml' ? 'yaml' : undefined;
    if (format === undefined) continue;
    const as = representationOf(parameters.get('as'));
    const group = parameters.get('g') ?? 'meta.k8s.io';
    const metaVersion = parameters.get('v') ?? 'v1';
    if (as === undefined || (as !== 'object' && group !== 'meta.k8s.io')) continue;
    if (metaVersion !== 'v1' && metaVersion !== 'v1beta1') continue;
    return { as, format, includeObject, metaVersion };
  }
  throw notAcceptable(['application/json', 'application/yaml']);
}

export function notAcceptable(types: string[]): StatusError {
  return new StatusError('NotAcceptable', `only the following media types are accepted: ${types.join(', ')}`);
}

export interface MediaRange {
  type: string;
  parameters: Map<string, string>;
}

/** The media ranges of an `Accept` header, in the order given, those with q=0 left out. */
export function readAccept(accept: string): MediaRange[] {
  return accept
    .split(',')
    .map((range) => {
      const [type, ...rest] = range.split(';').map((part) => part.trim());
      const parameters = new Map(
        rest.map((part): [string, string] => {
          const at = part.indexOf('=');
          return at < 0
            ? [part, '']
            : [part.slice(0, at).toLowerCase(), part.slice(at + 1).replace(/^"|"$/g, '')];
        }),
      );
      return { type: type!.toLowerCase(), parameters };
    })
    .filter(({ type, parameters }) => type !== '' && Number(parameters.get('q') ?? 1) !== 0);
}

function representationOf(as: string | undefined): Representation['as'] | undefined {
  if (as === undefined || as === '') return 'object';
  if (as === 'Table') return 'table';
  return as === 'PartialObjectMetadata' || as === 'PartialObjectMetadataList' ? 'metadata' : undefined;
}
