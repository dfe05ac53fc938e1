import type { StatusCause } from '../base/errors.ts';
import type { JsonSchema } from './custom/json-schema.ts';
import type { DecodeOptions } from './decode.ts';
import type { KindAddress, KubeObject } from './object.ts';
import { objectMeta } from './parts/meta.ts';
import type { Path } from './path.ts';
import type { Report } from './report.ts';
import { object, oneOf, refine, type Schema, type SchemaNode, type TypeOf } from './schema.ts';
import { enterVersion } from './versions.ts';

/** A column of `kubectl get`; priority 1 shows only with `-o wide`. */
export interface Column<T> {
  name: string;
  type?: 'string' | 'integer' | 'number' | 'boolean' | 'date';
  /** `name`, or a format of OpenAPI. */
  format?: string;
  doc?: string;
  priority?: number;
  /** Null shows as nothing known. */
  value(object: T, nowMs: number): string | number | boolean | null;
}

/** Where the scale subresource finds its numbers; `selector` leads to a LabelSelector or to its text. */
export interface ScalePaths {
  specReplicas: string;
  statusReplicas: string;
  selector: string;
}

/** How a kind that is a further version of another one, in its group or in another, turns into it and back. */
export interface StoredAs<T extends KubeObject, S extends KubeObject = KubeObject> {
  kind: KindDefinition<S>;
  /** Keeps the metadata as they are. Owns nothing of what it is given, nor does `fromStored`. */
  toStored(object: T): S;
  fromStored(stored: S): T;
}

/** What one file under `kinds/` says of its kind. Everything else derives from it. */
export interface KindDeclaration<T extends KubeObject> {
  group: string;
  version: string;
  kind: string;
  plural: string;
  singular?: string;
  shortNames?: readonly string[];
  categories?: readonly string[];
  namespaced: boolean;
  schema: Schema<T>;
  /** Names must be DNS subdomains unless said otherwise; returns what is wrong, in Kubernetes' words. */
  nameRule?: (name: string) => string[];
  subresources?: { status?: true; scale?: ScalePaths };
  /** What may be done with its objects; everything unless said otherwise. */
  verbs?: readonly string[];
  columns?: readonly Column<T>[];
  /** Field selectors beside `metadata.name` and `metadata.namespace`. */
  selectableFields?: Readonly<Record<string, (object: T) => string>>;
  /** True where a write of the status subresource may change labels and annotations too (Pod, Node). */
  statusWritesMetadata?: true;
  /** True where who makes an object may make it with its status (Node). */
  keepsStatusOnCreate?: true;
  /** False where writes are many and applies few: who owns which field is kept only from the first apply on. */
  isTracked?: false;
  /** Whether `metadata.generation` counts the changes of what is desired; by default where there are spec and status. */
  countsGenerations?: boolean;
  /** Says that its objects are those of another kind, seen in this version: one storage, selectable and watchable by both. */
  storedAs?: StoredAs<T>;
  check?: (object: T, report: Report, root: Path) => void;
  /** What must be true of a new object beside that. */
  checkCreate?: (object: T, report: Report, root: Path) => void;
  checkUpdate?: (next: T, previous: T, report: Report, root: Path) => void;
}

/** What a kind that was made at run time brings along, in place of what derives from a declaration. */
export interface CustomTraits {
  decode(value: unknown, options: DecodeOptions): { object: KubeObject; warnings: string[] };
  /** A copy with what is left out filled in. */
  defaults(object: KubeObject): KubeObject;
  /** Beside its metadata; `previous` is there on an update. */
  validate(next: KubeObject, previous: KubeObject | undefined): StatusCause[];
  /** Its component in that version of OpenAPI. */
  openapi(version: 2 | 3): Record<string, unknown>;
  /** As its definition has it. */
  readonly jsonSchema: JsonSchema;
}

export interface KindDefinition<T extends KubeObject = KubeObject> extends KindAddress<T> {
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly schema: SchemaNode;
  readonly nameRule: ((name: string) => string[]) | undefined;
  readonly subresources: { status?: true; scale?: ScalePaths };
  readonly verbs: readonly string[];
  readonly columns: readonly Column<T>[];
  // The type of a method, here, below and in Column, so that a KindDefinition<Pod> is a KindDefinition<KubeObject>.
  readonly selectableFields: Readonly<Record<string, { read(object: T): string }['read']>>;
  readonly statusWritesMetadata: boolean;
  readonly keepsStatusOnCreate: boolean;
  readonly isTracked?: boolean;
  /** The kind of a list of them; `<kind>List` if absent. */
  readonly listKind?: string;
  /** What users of a deprecated version are told, as a Warning header. */
  readonly deprecation?: string;
  readonly custom?: CustomTraits;
  readonly countsGenerations?: boolean;
  readonly storedAs?: StoredAs<T>;
  check?(object: T, report: Report, root: Path): void;
  checkCreate?(object: T, report: Report, root: Path): void;
  checkUpdate?(next: T, previous: T, report: Report, root: Path): void;
}

const allVerbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];

export function defineKind<T extends KubeObject>(declaration: KindDeclaration<T>): KindDefinition<T> {
  const kind: KindDefinition<T> = {
    singular: declaration.kind.toLowerCase(),
    shortNames: [],
    categories: [],
    nameRule: undefined,
    subresources: {},
    verbs: allVerbs,
    columns: [],
    selectableFields: {},
    statusWritesMetadata: false,
    keepsStatusOnCreate: false,
    ...(declaration.storedAs && takenFrom(declaration.storedAs)),
    ...declaration,
  };
  if (kind.storedAs) enterVersion(kind);
  return kind;
}

/** What a further version shares with the one that is stored, unless it says otherwise. */
function takenFrom<T extends KubeObject>({ kind, toStored }: StoredAs<T>): Partial<KindDefinition<T>> {
  return {
    shortNames: kind.shortNames,
    categories: kind.categories,
    nameRule: kind.nameRule,
    subresources: kind.subresources,
    statusWritesMetadata: kind.statusWritesMetadata,
    keepsStatusOnCreate: kind.keepsStatusOnCreate,
    ...(kind.countsGenerations !== undefined && { countsGenerations: kind.countsGenerations }),
    ...(kind.isTracked !== undefined && { isTracked: kind.isTracked }),
    columns: kind.columns.map((column) => ({
      ...column,
      value: (object: T, nowMs: number) => column.value(toStored(object), nowMs),
    })),
  };
}

type KindFields = Record<string, Schema<unknown>>;

/** The schema of a whole object: `fields` beside apiVersion, kind and metadata. */
export function kindSchema<const F extends KindFields>(
  name: string,
  at: { apiVersion: string; kind: string },
  fields: F,
  about: string | { doc: string; complete: (object: Record<string, unknown>) => void },
) {
  const traits = typeof about === 'string' ? { doc: about } : about;
  return object(
    name,
    {
      apiVersion: oneOf([at.apiVersion] as readonly string[], {
        doc: 'The version of the schema that the object is written in.',
      }),
      kind: oneOf([at.kind] as readonly string[], { doc: 'What the object is.' }),
      metadata: describedMeta,
      ...described(fields),
    },
    traits as { doc: string },
  );
}

const describedMeta = refine(objectMeta, {
  doc: 'What is true of any object: its name, its labels and more.',
});
const usualDocs: Record<string, string> = {
  spec: 'What is wanted.',
  status: 'What is the case; written by who takes care of it, not by who wants it.',
};

/** `spec` and `status` mostly need no words of their own. */
function described<F extends KindFields>(fields: F): F {
  const entries = Object.entries(fields).map(([name, field]) => {
    const doc = usualDocs[name];
    return [name, doc === undefined || field.doc !== undefined ? field : refine(field, { doc })];
  });
  // The same fields, of the same types.
  return Object.fromEntries(entries) as F;
}

/** The static type of a kind's objects. */
export type ObjectOf<S> = TypeOf<S>;
