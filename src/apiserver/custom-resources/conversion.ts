import { clone } from '../../api/clone.ts';
import { schemaOf } from '../../api/custom/custom-kind.ts';
import { applyDefaults, dropNulls, hasDefaults } from '../../api/custom/default.ts';
import { storedVersion } from '../../api/custom/definition/versions.ts';
import type { Fields, JsonSchema } from '../../api/custom/json-schema.ts';
import { prune } from '../../api/custom/prune.ts';
import { isEqualJson } from '../../api/equal.ts';
import type { CustomResourceDefinition } from '../../api/kinds/customResourceDefinition.ts';
import type { KubeObject } from '../../api/object.ts';
import type { ConversionWebhook } from './conversion-webhook.ts';

/** How objects of one definition turn from the version that they are stored in into the one that is asked for, and back. */
export class Conversion {
  #definition: CustomResourceDefinition;
  #schemas: ReadonlyMap<string, JsonSchema>;
  readonly #webhook: ConversionWebhook;
  /** By version, then by the stored value, which never changes. */
  #read = new Map<string, WeakMap<object, object>>();

  constructor(definition: CustomResourceDefinition, webhook: ConversionWebhook) {
    this.#webhook = webhook;
    this.#definition = definition;
    this.#schemas = schemasOf(definition);
  }

  /** Whether somebody else converts, who must be asked and waited for. */
  get asksWebhook(): boolean {
    return this.#definition.spec.conversion?.strategy === 'Webhook';
  }

  /** From now on the definition is this one. */
  update(definition: CustomResourceDefinition): void {
    this.#definition = definition;
    this.#schemas = schemasOf(definition);
    this.#read = new Map();
  }

  /** A stored value as a version shows it, or undefined where a webhook has to be asked first. */
  known(value: object, version: string): object | undefined {
    const found = this.#readIn(version).get(value);
    if (found) return found;
    const stored = this.#asStored(value);
    if (!this.#needsWebhook(stored, version))
      return this.#keep(value, version, this.#renamed(stored, version));
    return undefined;
  }

  /** Stored values as a version shows them. */
  async read(values: readonly object[], version: string): Promise<object[]> {
    const missing = values.filter((value) => this.known(value, version) === undefined);
    const stored = missing.map((value) => this.#asStored(value));
    const converted = await this.#webhook.convert(this.#definition, stored, version);
    for (const [index, value] of missing.entries()) {
      this.#keep(value, version, this.#pruned(converted[index]!, version));
    }
    // What has just been kept is there as long as its value is.
    return values.map((value) => this.#readIn(version).get(value)!);
  }

  /** An object that is to be stored, in the storage version. */
  write(object: object): Promise<object> {
    return this.convert(object, storedVersion(this.#definition)!);
  }

  /** An object of any version in another. */
  async convert(object: object, version: string): Promise<object> {
    if (versionOf(object) === version) return object;
    if (!this.#needsWebhook(object, version)) return this.#renamed(object, version);
    const [converted] = await this.#webhook.convert(this.#definition, [object], version);
    return this.#pruned(converted!, version);
  }

  #needsWebhook(value: object, version: string): boolean {
    return this.asksWebhook && versionOf(value) !== version;
  }

  /** What was stored under an older schema is brought into line with today's. */
  #asStored(value: object): object {
    const schema = this.#schemas.get(versionOf(value));
    if (!schema) return value;
    const pruned = prune(schema, value as Fields);
    if (!hasDefaults(schema)) return isEqualJson(pruned, value) ? value : pruned;
    const copy = clone(pruned);
    applyDefaults(schema, copy);
    dropNulls(schema, copy);
    return isEqualJson(copy, value) ? value : copy;
  }

  #renamed(value: object, version: string): object {
    if (versionOf(value) === version) return value;
    return this.#pruned({ ...value, apiVersion: `${this.#definition.spec.group}/${version}` }, version);
  }

  #pruned(value: object, version: string): object {
    const schema = this.#schemas.get(version);
    return schema ? prune(schema, value as Fields) : value;
  }

  #readIn(version: string): WeakMap<object, object> {
    const known = this.#read.get(version) ?? new WeakMap();
    this.#read.set(version, known);
    return known;
  }

  #keep(value: object, version: string, read: object): object {
    this.#readIn(version).set(value, read);
    return read;
  }
}

function schemasOf({ spec }: CustomResourceDefinition): Map<string, JsonSchema> {
  return new Map(spec.versions.map((version) => [version.name, schemaOf(version)]));
}

function versionOf(value: object): string {
  return (value as KubeObject).apiVersion?.split('/').at(-1) ?? '';
}
