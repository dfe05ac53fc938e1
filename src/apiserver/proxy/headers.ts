import type { Incoming } from './incoming.ts';

type Headers = Record<string, string | string[]>;

/** They are about one connection: RFC 9110, 7.6.1. */
const ofConnection = [
  'connection',
  'proxy-connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
];

/** Without what concerns only the connection that they came over. */
export function endToEnd(headers: Headers): Headers {
  const listed = [headers.connection ?? []].flat().flatMap((value) => value.split(','));
  const dropped = new Set([...ofConnection, ...listed.map((name) => name.trim().toLowerCase())]);
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !dropped.has(name)));
}

/**
 * What another server may see of a request's headers: neither the credentials, nor as whom it asked to be made, nor
 * whom a proxy in front of us could name.
 */
export function forwardedHeaders({ headers, address }: Pick<Incoming, 'headers' | 'address'>): Headers {
  const passed = Object.fromEntries(Object.entries(endToEnd(headers)).filter(([name]) => !isPrivate(name)));
  const before = [passed['x-forwarded-for'] ?? []].flat();
  if (address) passed['x-forwarded-for'] = [...before, address].join(', ');
  return passed;
}

function isPrivate(name: string): boolean {
  const isIdentity = name === 'authorization' || name.startsWith('impersonate-');
  return (
    isIdentity || ['x-remote-user', 'x-remote-group', 'x-remote-uid'].includes(name) || isRemoteExtra(name)
  );
}

const isRemoteExtra = (name: string) => name.startsWith('x-remote-extra-');
