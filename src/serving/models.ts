import { StatusError } from '../base/errors.ts';
import type { ModelRepository } from './repository.ts';
import type { ServedModel } from './served-model.ts';

/** What is served at the moment. */
export type Models = ReadonlyMap<string, ServedModel>;

/** Throws NotFound that says what is served. */
export function modelOf(models: Models, name: string, version: string | undefined): ServedModel {
  const model = models.get(name);
  if (!model) {
    throw new StatusError(
      'NotFound',
      `no model "${name}" here; served: ${[...models.keys()].map((key) => `"${key}"`).join(', ')}`,
    );
  }
  if (version !== undefined && version !== '' && version !== model.version) {
    throw new StatusError(
      'NotFound',
      `model "${name}" has no version "${version}"; served: "${model.version}"`,
    );
  }
  return model;
}

export async function indexOf(models: Models, repository: ModelRepository | undefined, isReadyOnly: boolean) {
  const fixed = () =>
    [...models.values()].map(({ name, version }) => ({ name, version, state: 'READY', reason: '' }));
  const entries = (await repository?.index()) ?? fixed();
  return entries.filter(({ state }) => !isReadyOnly || state === 'READY');
}

export function expectRepository(repository: ModelRepository | undefined): ModelRepository {
  if (repository) return repository;
  throw new StatusError(
    'BadRequest',
    'this server has a fixed model: it was started without MODEL_REPOSITORY',
  );
}
