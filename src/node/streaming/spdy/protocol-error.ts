/** The other side does not keep to the protocol: its connection is ended. */
export class ProtocolError extends Error {
  override name = 'ProtocolError';
}
