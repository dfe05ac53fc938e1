/** When an image is pulled if nothing is said: a moving tag always, a fixed one or a digest once. */
export function defaultPullPolicy(image: unknown): 'Always' | 'IfNotPresent' {
  if (typeof image !== 'string' || image === '') return 'IfNotPresent';
  const [name, digest] = image.split('@');
  const tag = /:([^/:]+)$/.exec(name ?? '')?.[1];
  return tag === 'latest' || (tag === undefined && digest === undefined) ? 'Always' : 'IfNotPresent';
}
