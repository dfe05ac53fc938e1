import { clone } from '../clone.ts';
import type { KindDefinition } from '../kind.ts';
import type {
  CustomResourceDefinition,
  CustomResourceDefinitionVersion,
} from '../kinds/customResourceDefinition.ts';
import type { KubeObject } from '../object.ts';
import type { SchemaNode } from '../schema.ts';
import { columnsOf } from './columns.ts';
import { decodeCustom } from './decode-custom.ts';
import { applyDefaults, dropNulls, hasDefaults } from './default.ts';
import { deprecationOf } from './definition/versions.ts';
import type { Fields, JsonSchema } from './json-schema.ts';
import { publishedSchema } from './openapi.ts';
import { nodeOf } from './schema-node.ts';
import { selectableFieldsOf } from './selectable-fields.ts';
import { validateCustom } from './validate-custom.ts';

const verbs = ['delete', 'deletecollection', 'get', 'list', 'patch', 'create', 'update', 'watch'];

/** The schema of a version, which every stored definition has. */
export function schemaOf(version: CustomResourceDefinitionVersion): JsonSchema {
  return version.schema?.openAPIV3Schema ?? { type: 'object' };
}

/**
 * A version of a definition as a kind of the API. What takes time or memory (columns, the structure for server-side
 * apply) is made when it is first asked for: most kinds of a cluster are hardly ever used.
 */
export function customKind(
  definition: CustomResourceDefinition,
  version: CustomResourceDefinitionVersion,
): KindDefinition {
  const { spec, status } = definition;
  const names = { ...spec.names, ...status?.acceptedNames };
  const schema = schemaOf(version);
  const { kind, plural, singular, listKind, shortNames = [], categories = [] } = names;
  const { status: hasStatus, scale } = version.subresources ?? {};
  const deprecation = deprecationOf(definition, version);
  const componentName = [...spec.group.split('.').reverse(), version.name, kind].join('.');
  const made: KindDefinition = {
    group: spec.group,
    version: version.name,
    kind,
    plural,
    singular: singular ?? kind.toLowerCase(),
    listKind: listKind ?? `${kind}List`,
    shortNames,
    categories,
    namespaced: spec.scope === 'Namespaced',
    nameRule: undefined,
    subresources: {
      ...(hasStatus && { status: true as const }),
      ...(scale && {
        scale: {
          specReplicas: scale.specReplicasPath,
          statusReplicas: scale.statusReplicasPath,
          selector: scale.labelSelectorPath ?? '',
        },
      }),
    },
    verbs,
    statusWritesMetadata: false,
    keepsStatusOnCreate: false,
    ...(deprecation !== undefined && { deprecation }),
    get schema() {
      return once(this, 'schema', (): SchemaNode => nodeOf({ ...schema, type: 'object' }, componentName));
    },
    get columns() {
      return once(this, 'columns', () => columnsOf(version.additionalPrinterColumns));
    },
    get selectableFields() {
      return once(this, 'selectableFields', () => selectableFieldsOf(version.selectableFields ?? []));
    },
    custom: {
      decode: (value, options) => decodeCustom(made, schema, value, options),
      defaults: (object) => defaulted(schema, object),
      validate: (next, previous) => validateCustom({ schema, scale }, next, previous),
      openapi: (dialect) => publishedSchema(schema, dialect),
      jsonSchema: schema,
    },
  };
  return made;
}

function defaulted(schema: JsonSchema, object: KubeObject): KubeObject {
  const copy = clone(object) as Fields;
  if (hasDefaults(schema)) applyDefaults(schema, copy);
  dropNulls(schema, copy);
  return copy as KubeObject;
}

/** Takes the place of a getter by what it gave. */
function once<T>(owner: object, name: string, make: () => T): T {
  const value = make();
  Object.defineProperty(owner, name, { value, enumerable: true });
  return value;
}
