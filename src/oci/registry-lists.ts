import { mediaType } from './media-types.ts';
import { type Call, sendJson } from './registry-call.ts';
import { notAllowed, RegistryError } from './registry-error.ts';

/** Names in one answer; a client asks on with `last`. */
export const pageNamesMax = 1000;

export async function handleCatalog(call: Call): Promise<void> {
  onlyGet(call);
  sendJson(call, { repositories: page(call, await call.store.repositories.list()) });
}

export async function handleTags(call: Call, repository: string): Promise<void> {
  onlyGet(call);
  const tags = await call.store.repositories.tags(repository);
  if (tags.length === 0 && (await call.store.repositories.manifests(repository)).length === 0) {
    throw new RegistryError(404, 'NAME_UNKNOWN', `there is no repository ${repository}`);
  }
  sendJson(call, { name: repository, tags: page(call, tags) });
}

/** An index of the manifests whose subject is `digest`; empty if there is none, as the specification asks. */
export async function handleReferrers(call: Call, repository: string, digest: string): Promise<void> {
  onlyGet(call);
  const type = call.url.searchParams.get('artifactType');
  const all = await call.store.repositories.referrers(repository, digest);
  const manifests = type === null ? all : all.filter((each) => each.artifactType === type);
  if (type !== null) call.response.setHeader('OCI-Filters-Applied', 'artifactType');
  sendJson(call, { schemaVersion: 2, mediaType: mediaType.ociIndex, manifests }, mediaType.ociIndex);
}

/** `n` names after `last`, with a `Link` to the next page if there are more (RFC 5988). */
function page({ url, response }: Call, sorted: string[]): string[] {
  const last = url.searchParams.get('last');
  const asked = url.searchParams.get('n');
  if (asked !== null && !/^\d{1,9}$/.test(asked)) {
    throw new RegistryError(400, 'UNSUPPORTED', `n=${asked} is not a number of names`);
  }
  const count = Math.min(asked === null ? pageNamesMax : Number(asked), pageNamesMax);
  const rest = last === null ? sorted : sorted.filter((name) => name > last);
  const names = rest.slice(0, count);
  if (names.length > 0 && rest.length > names.length) {
    const next = new URLSearchParams({ n: String(count), last: names.at(-1)! });
    response.setHeader('Link', `<${url.pathname}?${next}>; rel="next"`);
  }
  return names;
}

function onlyGet({ request }: Call): void {
  if (request.method !== 'GET' && request.method !== 'HEAD')
    throw notAllowed(request.method, ['GET', 'HEAD']);
}
