import { readFile } from 'node:fs/promises';
import { parseAllDocuments } from 'yaml';
import { kinds } from '../../api/kinds/index.ts';
import { apiVersionOf, type KubeObject } from '../../api/object.ts';
import { isStatus } from '../../base/errors.ts';
import type { Client } from '../../client/index.ts';

/** Creates the objects of a YAML file in order; what exists is patched with the file's fields. */
export async function applyFile(client: Client, path: string): Promise<void> {
  for (const document of parseAllDocuments(await readFile(path, 'utf8'))) {
    const object = document.toJS() as KubeObject | null;
    if (object) await apply(client, object);
  }
}

async function apply(client: Client, object: KubeObject): Promise<void> {
  const kind = kinds.find(
    (candidate) => candidate.kind === object.kind && apiVersionOf(candidate) === object.apiVersion,
  );
  if (!kind) throw new Error(`no kind "${object.kind}" in ${object.apiVersion} is served`);
  try {
    await client.create(kind, object);
  } catch (error) {
    if (!isStatus(error, 'AlreadyExists')) throw error;
    const { name, namespace } = object.metadata!;
    await client.patch(kind, { namespace, name: name! }, { type: 'merge', body: object });
  }
}
