import {
  boolean,
  children,
  decodeOid,
  type Element,
  expectTag,
  octetString,
  oid,
  sequence,
  tags,
} from './der.ts';

/** X.509 version 3 extensions (RFC 5280 section 4.2). */
export const extensionOids = {
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  authorityKeyIdentifier: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
} as const;

export function encodeExtension(
  id: string,
  content: Uint8Array,
  options: { critical?: boolean } = {},
): Buffer {
  return sequence(oid(id), ...(options.critical ? [boolean(true)] : []), octetString(content));
}

/** From the extension's OID to its content. */
export function decodeExtensions(element: Element | undefined): Map<string, Buffer> {
  const found = new Map<string, Buffer>();
  for (const extension of element ? children(element, tags.sequence) : []) {
    const parts = children(extension, tags.sequence);
    found.set(decodeOid(parts[0]), expectTag(parts.at(-1), tags.octetString).content);
  }
  return found;
}
