export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type LogFields = Record<string, unknown>;

/** Structured logging; `with` gives a logger that adds fields to every line. */
export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  with(fields: LogFields): Log;
}

const order: LogLevel[] = ['debug', 'info', 'warn', 'error'];

/** Writes `TIME LEVEL message key=value …` lines of at least `level` to `write`. */
export function createLog(options: {
  level: LogLevel;
  write: (line: string) => void;
  fields?: LogFields;
}): Log {
  const emit = (level: LogLevel, message: string, fields?: LogFields) => {
    if (order.indexOf(level) < order.indexOf(options.level)) return;
    const pairs = Object.entries({ ...options.fields, ...fields }).map(
      ([key, value]) => ` ${key}=${show(value)}`,
    );
    options.write(
      `${new Date().toISOString()} ${level.toUpperCase().padEnd(5)} ${message}${pairs.join('')}\n`,
    );
  };
  return {
    debug: (message, fields) => emit('debug', message, fields),
    info: (message, fields) => emit('info', message, fields),
    warn: (message, fields) => emit('warn', message, fields),
    error: (message, fields) => emit('error', message, fields),
    with: (fields) => createLog({ ...options, fields: { ...options.fields, ...fields } }),
  };
}

/** A log that drops everything, for tests. */
export const silentLog: Log = createLog({ level: 'error', write: () => {} });

function show(value: unknown): string {
  const text =
    value instanceof Error ? value.message : typeof value === 'string' ? value : JSON.stringify(value);
  return /^[^\s"=]+$/.test(text ?? '') ? text! : JSON.stringify(text);
}
