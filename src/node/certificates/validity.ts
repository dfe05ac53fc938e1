import { X509Certificate } from 'node:crypto';

export interface Validity {
  notBeforeMs: number;
  notAfterMs: number;
}

export function validityOf(certificatePem: string): Validity {
  const { validFromDate, validToDate } = new X509Certificate(certificatePem);
  return { notBeforeMs: validFromDate.getTime(), notAfterMs: validToDate.getTime() };
}

/** A certificate is renewed when two thirds of its life have passed, which leaves a third for trouble. */
export const renewAtMs = ({ notBeforeMs, notAfterMs }: Validity): number =>
  notBeforeMs + ((notAfterMs - notBeforeMs) * 2) / 3;

export const isExpired = ({ notAfterMs }: Validity, nowMs: number): boolean => nowMs >= notAfterMs;
