const reserved = new Set(
  'true false null in as break const continue else for function if import let loop package namespace return var void while'.split(
    ' ',
  ),
);

const escapes: Record<string, string> = {
  __: '__underscores__',
  '.': '__dot__',
  '-': '__dash__',
  '/': '__slash__',
};

/**
 * The name by which an expression reaches a JSON property: `foo-bar` is `foo__dash__bar`, `namespace` is `__namespace__`.
 * Undefined where none can.
 */
export function escapeProperty(property: string): string | undefined {
  if (!/^[A-Za-z_./-][A-Za-z0-9_./-]*$/.test(property)) return undefined;
  if (reserved.has(property)) return `__${property}__`;
  return property.replace(/__|[-./]/g, (match) => escapes[match]!);
}

export const isReserved = (name: string): boolean => reserved.has(name);
