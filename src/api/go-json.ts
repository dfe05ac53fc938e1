/** As Go's encoding/json says that a value is not of the type that is read: clients know these words. */
export function cannotUnmarshal(value: unknown, type: string): string {
  return `json: cannot unmarshal ${goNameOf(value)} into Go value of type ${type}`;
}

function goNameOf(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  return typeof value === 'boolean' ? 'bool' : typeof value;
}
