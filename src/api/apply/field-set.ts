/**
 * A set of fields as `FieldsV1` writes it: `f:<name>` a field, `k:{…}` a list item by its keys, `v:…` a value of a
 * set, `i:<n>` a place in a list. A node without members is itself in the set; one with members is only where it
 * has a `.`. The set operations work on this form directly, so that managedFields are never translated. The root
 * is never in the set, so an empty set is `undefined`. Sets are shared: never changed in place.
 * Source: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/object-meta/ (FieldsV1)
 */
export interface FieldSet {
  readonly [element: string]: FieldSet;
}

type Growing = Record<string, FieldSet>;

/** The set of one field that has no parts. */
export const leaf: FieldSet = Object.freeze({});

/** Whether the node itself, not only something below it, is in the set. */
export function isMember(node: FieldSet | undefined): boolean {
  if (node === undefined) return false;
  for (const element in node) return element === '.' || node['.'] !== undefined;
  return true;
}

/** A node of the children that is in the set itself too when `member` says so; undefined where nothing is. */
export function nodeOf(children: Growing, member: boolean): FieldSet | undefined {
  const hasChildren = Object.keys(children).length > 0;
  if (!member) return hasChildren ? children : undefined;
  return hasChildren ? { '.': leaf, ...children } : leaf;
}

/** What is in either. */
export function union(a: FieldSet | undefined, b: FieldSet | undefined): FieldSet | undefined {
  if (a === undefined || b === undefined || a === b) return a ?? b;
  const children: Growing = childrenOf(a);
  for (const element in b) {
    if (element !== '.') children[element] = union(children[element], b[element])!;
  }
  return nodeOf(children, isMember(a) || isMember(b));
}

/** What is in `a` and not in `b`. */
export function difference(a: FieldSet | undefined, b: FieldSet | undefined): FieldSet | undefined {
  if (a === undefined || b === undefined) return a;
  const children: Growing = {};
  for (const element in a) {
    if (element === '.') continue;
    const rest = difference(a[element], b[element]);
    if (rest) children[element] = rest;
  }
  return nodeOf(children, isMember(a) && !isMember(b));
}

/** What is in both. */
export function intersection(a: FieldSet | undefined, b: FieldSet | undefined): FieldSet | undefined {
  if (a === undefined || b === undefined) return undefined;
  const children: Growing = {};
  for (const element in a) {
    if (element === '.') continue;
    const both = intersection(a[element], b[element]);
    if (both) children[element] = both;
  }
  return nodeOf(children, isMember(a) && isMember(b));
}

/** Every field of the set as Kubernetes prints it: `.spec.containers[name="main"].image`. */
export function pathsOf(set: FieldSet | undefined): string[] {
  const paths: string[] = [];
  const visit = (node: FieldSet, at: string) => {
    for (const element of Object.keys(node).sort()) {
      if (element === '.') continue;
      const child = node[element]!;
      const path = at + printed(element);
      if (isMember(child)) paths.push(path);
      visit(child, path);
    }
  };
  if (set) visit(set, '');
  return paths;
}

function childrenOf(node: FieldSet): Growing {
  const { '.': _member, ...children } = node;
  return children;
}

function printed(element: string): string {
  const rest = element.slice(2);
  if (element.startsWith('f:')) return `.${rest}`;
  if (element.startsWith('v:')) return `[=${rest}]`;
  if (element.startsWith('i:')) return `[${rest}]`;
  const keys = Object.entries(JSON.parse(rest) as Record<string, unknown>);
  return `[${keys.map(([key, value]) => `${key}=${JSON.stringify(value)}`).join(',')}]`;
}
