import { StatusError } from '../base/errors.ts';
import { isDigest } from './digest.ts';

/** An image reference; without `host` it is in the cluster's embedded registry. */
export interface Reference {
  host?: string;
  repository: string;
  tag?: string;
  digest?: string;
}

const component = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*';
const repositoryForm = new RegExp(`^${component}(?:/${component})*$`);
const tagForm = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;
const hostForm = /^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?$/;
const repositoryCharactersMax = 255;

export const isRepository = (text: string): boolean =>
  text.length <= repositoryCharactersMax && repositoryForm.test(text);
export const isTag = (text: string): boolean => tagForm.test(text);

/**
 * Reads `[host[:port]/]name[:tag][@digest]` by Docker's rules (distribution/reference), with one difference:
 * a name without a host stays as it is and means the cluster's own registry. With neither tag nor digest the
 * tag is `latest`. A malformed reference is a `BadRequest` that says what is wrong.
 */
export function parseReference(text: string): Reference {
  const [named, digest, ...more] = text.split('@');
  if (more.length > 0) throw invalid(text, 'it has more than one "@"');
  if (digest !== undefined && !isDigest(digest)) {
    throw invalid(text, `the digest must be "sha256:" and 64 lower-case hexadecimal digits, not "${digest}"`);
  }
  const { name, tag } = splitTag(named ?? '');
  if (tag !== undefined && !isTag(tag)) {
    throw invalid(text, `the tag "${tag}" must be 1 to 128 letters, digits, ".", "_" or "-"`);
  }
  const { host, path } = splitHost(name);
  if (host !== undefined && !hostForm.test(host)) throw invalid(text, `"${host}" is not a registry host`);
  const repository = host === 'docker.io' && !path.includes('/') ? `library/${path}` : path;
  if (!isRepository(repository)) throw invalid(text, whyRepository(repository));
  return {
    ...(host !== undefined && { host }),
    repository,
    ...(tag !== undefined ? { tag } : digest === undefined && { tag: 'latest' }),
    ...(digest !== undefined && { digest }),
  };
}

export function formatReference(reference: Reference): string {
  const { host, repository, tag, digest } = reference;
  return `${host ? `${host}/` : ''}${repository}${tag ? `:${tag}` : ''}${digest ? `@${digest}` : ''}`;
}

/** The repository under which the content store keeps a reference: an outside host becomes its first part. */
export function storedRepository(reference: Reference): string {
  if (reference.host === undefined) return reference.repository;
  const folder = reference.host.toLowerCase().replace(/[^a-z0-9.-]+/g, '_');
  return `${folder.replace(/^[^a-z0-9]+|[^a-z0-9]+$/g, '')}/${reference.repository}`;
}

function splitTag(named: string): { name: string; tag?: string } {
  const colon = named.lastIndexOf(':');
  if (colon < 0 || named.includes('/', colon)) return { name: named };
  return { name: named.slice(0, colon), tag: named.slice(colon + 1) };
}

function splitHost(name: string): { host?: string; path: string } {
  const slash = name.indexOf('/');
  const first = name.slice(0, slash);
  const isHost = slash > 0 && (/[.:]/.test(first) || first === 'localhost' || first !== first.toLowerCase());
  if (!isHost) return { path: name };
  return { host: first === 'index.docker.io' ? 'docker.io' : first, path: name.slice(slash + 1) };
}

function whyRepository(repository: string): string {
  if (repository === '') return 'the name is empty';
  if (repository.length > repositoryCharactersMax) {
    return `the name is longer than ${repositoryCharactersMax} characters`;
  }
  if (repository !== repository.toLowerCase()) return `the name "${repository}" must be lower case`;
  return `the name "${repository}" must be lower-case letters and digits, separated by ".", "_", "-" or "/"`;
}

function invalid(text: string, why: string): StatusError {
  return new StatusError('BadRequest', `invalid image reference ${JSON.stringify(text)}: ${why}`);
}
