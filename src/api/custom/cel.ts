import { createRequire } from 'node:module';
import { extname } from 'node:path';

// Many clusters have no rules, and CEL takes 11 MB: it is loaded with the first rule, which cannot wait for an import.
const load = createRequire(import.meta.url);
const extension = extname(import.meta.filename);

/** The room of CEL. */
export const cel = () => load(`../cel/index${extension}`) as typeof import('../cel/index.ts');
export const celTypes = () => load(`../cel/types${extension}`) as typeof import('../cel/types.ts');
export const celValues = () => load(`../cel/values${extension}`) as typeof import('../cel/values.ts');
