import type { User } from '../user.ts';

/**
 * How another API server is told who asks.
 * Source: https://kubernetes.io/docs/tasks/extend-kubernetes/configure-aggregation-layer/#kubernetes-apiserver-client-authentication
 */
export function identityHeaders({ name, groups, extra = {} }: User): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = {
    'x-remote-user': headerText(name),
    'x-remote-group': groups.map(headerText),
  };
  for (const [key, values] of Object.entries(extra)) {
    headers[`x-remote-extra-${escapeKey(key)}`] = values.map(headerText);
  }
  return headers;
}

/** Names are UTF-8 on the wire, which Node writes byte by byte. */
const headerText = (text: string) => Buffer.from(text, 'utf8').toString('latin1');

/** What may not stand in a header's name is percent-encoded. */
function escapeKey(key: string): string {
  return Array.from(Buffer.from(key, 'utf8'), (byte) => {
    const character = String.fromCharCode(byte);
    return /[!#$&'*+\-.^_`|~0-9A-Za-z]/.test(character)
      ? character
      : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }).join('');
}
