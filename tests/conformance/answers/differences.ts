import type { Answer } from './exchange.ts';

export interface Difference {
  path: string;
  ours: unknown;
  theirs: unknown;
}

/** What is known to differ, by where it is in an answer, and why. */
export const known: [RegExp, string][] = [
  [/\.managedFields(\.|$)/, 'docs/kubernetes.md, "Who owns which field"'],
  [/\.columnDefinitions\..*\.description$/, 'descriptions are our own words'],
  [/\.creationTimestamp$/, 'no null in templates: Kubernetes itself leaves it out since 1.34'],
  [/\.jobTemplate\.metadata$/, 'as above'],
  [/\.serviceAccount(Name)?$/, 'the server that is compared with runs without the plugin ServiceAccount'],
  [/^headers\.allow$/, 'RFC 9110 wants it with 405; Kubernetes leaves it out'],
  [
    /^body\.(git\w+|goVersion|compiler|buildDate|platform|minor|serverAddressByClientCIDRs.*)$/,
    'another server',
  ],
  [/^body\.groups/, 'groups of our own stand at the end'],
];

/** Where two answers differ and nobody knows why. */
export function differencesOf(ours: Answer, theirs: Answer): Difference[] {
  const found: Difference[] = [];
  compare('', masked(ours), masked(theirs), found);
  return found.filter(({ path }) => !known.some(([pattern]) => pattern.test(path)));
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null;

function compare(path: string, ours: unknown, theirs: unknown, found: Difference[]): void {
  if (!isObject(ours) || !isObject(theirs) || Array.isArray(ours) !== Array.isArray(theirs)) {
    if (ours !== theirs) found.push({ path, ours, theirs });
    return;
  }
  for (const name of new Set([...Object.keys(ours), ...Object.keys(theirs)]))
    compare(path === '' ? name : `${path}.${name}`, ours[name], theirs[name], found);
}

const changing = ['uid', 'resourceVersion'];
const patterns: [RegExp, string][] = [
  [/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, '<time>'],
  [/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, '<uid>'],
  [/^\d+(ms|s|m)$/g, '<age>'],
  // Any free address of a Service.
  [/^10\.43\.\d+\.\d+$/g, '<address>'],
];

/** The same without what differs from run to run. */
function masked(value: unknown, name = ''): unknown {
  if (Array.isArray(value)) return value.map((item) => masked(item));
  if (isObject(value))
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, masked(item, key)]));
  if (typeof value !== 'string') return value;
  if (changing.includes(name) && value !== '') return `<${name}>`;
  return patterns.reduce((text, [pattern, mask]) => text.replace(pattern, mask), value);
}
