import { lookup } from 'node:dns';
import { isIP, type LookupFunction, type Socket } from 'node:net';
import { isLocalAddress } from '../local-address.ts';
import { connectUnread } from './socket-pairs.ts';

/**
 * An unread connection to a host that is not this machine. What is checked is the address that is then connected to,
 * so that no name can lead back by resolving to one thing first and another later.
 */
export function connectOutside({ host, port }: { host: string; port: number }): Promise<Socket> {
  if (isIP(host) !== 0 && isLocalAddress(host)) return Promise.reject(localError(host));
  return connectUnread({ host, port, lookup: lookupOutside });
}

const lookupOutside: LookupFunction = (host, options, callback) => {
  lookup(host, { ...options, all: true }, (error, addresses) => {
    if (error) return callback(error, []);
    const outside = addresses.filter(({ address }) => !isLocalAddress(address));
    const [first] = outside;
    if (!first) return callback(localError(host), []);
    return options.all ? callback(null, outside) : callback(null, first.address, first.family);
  });
};

function localError(host: string): NodeJS.ErrnoException {
  const message = `${host} is an address of the node itself; pods may not reach it unless the node is started with --allow-local-egress`;
  return Object.assign(new Error(message), { code: 'EACCES' });
}
