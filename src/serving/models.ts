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

/**
 * Triton lets a load bring a configuration or files of its own; here both lie in the repository. Of an unload `unload_dependents`
 * means nothing, for no model is made of others. Throws BadRequest.
 */
export function expectNoOverride(parameters: Record<string, unknown> | undefined): void {
  const names = Object.keys(parameters ?? {}).filter((name) => name !== 'unload_dependents');
  if (names.length === 0) return;
  throw new StatusError(
    'BadRequest',
    `parameters: a load takes none here, got ${names.map((name) => `"${name}"`).join(', ')}: put the model's files and its config.json into the repository`,
  );
}

export function expectRepository(repository: ModelRepository | undefined): ModelRepository {
  if (repository) return repository;
  throw new StatusError(
    'BadRequest',
    'this server has a fixed model: it was started without MODEL_REPOSITORY',
  );
}
