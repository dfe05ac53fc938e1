/**
 * `node:http`, for what need not have it by `import`: that reads all of the module's exports, one of which loads the
 * WebSocket client with all of undici, 15 MB of memory (Node 26).
 */
export const nodeHttp: typeof import('node:http') = process.getBuiltinModule('node:http');
