/** Whether all that `part` says is so in `whole`, which may say more (defaults that the server added). */
export function includes(whole: unknown, part: unknown): boolean {
  if (part === undefined || Object.is(whole, part)) return true;
  if (Array.isArray(part)) {
    return (
      Array.isArray(whole) &&
      whole.length === part.length &&
      part.every((item, index) => includes(whole[index], item))
    );
  }
  if (typeof part !== 'object' || part === null || typeof whole !== 'object' || whole === null) return false;
  const fields = whole as Record<string, unknown>;
  return Object.entries(part).every(([key, value]) => includes(fields[key], value));
}
