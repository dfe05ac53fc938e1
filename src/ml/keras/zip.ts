/** A model file's parts together are smaller than this, unpacked; one that claims more is an attack. */
export const unpackedBytesMax = 2 ** 30;

/** Unpacks the named files of a ZIP archive; what is not there is left out.
 * @throws Error where the bytes are no such archive, or unpack to more than `unpackedBytesMax`. */
export async function unzip(bytes: Uint8Array, names: readonly string[]): Promise<Map<string, Uint8Array>> {
  const { unzipSync } = await import('fflate');
  let total = 0;
  try {
    const files = unzipSync(bytes, {
      filter({ name, originalSize }) {
        if (!names.includes(name)) return false;
        total += originalSize;
        if (total > unpackedBytesMax) throw new Error(`"${name}" would unpack to ${originalSize} bytes`);
        return true;
      },
    });
    return new Map(Object.entries(files));
  } catch (cause) {
    throw new Error(`This ZIP archive cannot be read: ${(cause as Error).message}`, { cause });
  }
}

/** Packs files as Keras does, uncompressed; the same files always give the same bytes. */
export async function zip(files: Record<string, Uint8Array>): Promise<Uint8Array> {
  const { zipSync } = await import('fflate');
  return zipSync(files, { level: 0, mtime: new Date(1980, 0, 1) });
}
