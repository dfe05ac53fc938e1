import { readIfExists, writePrivateFile } from '../../identity/key-file.ts';
import type { HeldCertificate } from './request-certificate.ts';

/** Key and certificate in one file, so that a crash can't leave one without the other. Mode 0600. */
export function certificateFile(path: string): {
  load(): HeldCertificate | undefined;
  save(held: HeldCertificate): void;
} {
  return {
    load() {
      const text = readIfExists(path)?.toString('utf8');
      const key =
        text && /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]+?-----END [A-Z ]*PRIVATE KEY-----\n?/.exec(text);
      const at = text?.indexOf('-----BEGIN CERTIFICATE-----') ?? -1;
      if (!text || !key || at < 0) return undefined;
      return { privateKeyPem: key[0], certificatePem: text.slice(at) };
    },
    save: ({ privateKeyPem, certificatePem }) =>
      writePrivateFile(path, `${privateKeyPem.trimEnd()}\n${certificatePem}`),
  };
}
