/** One entry of a log in the CRI format: `<RFC 3339 time> stdout|stderr F|P <text>`. */
export interface LogEntry {
  time: string;
  stream: string;
  /** A part of a longer line: no line end follows it. */
  isPartial: boolean;
  text: Buffer;
}

/** Reads one line (without its line end); undefined if it isn't in the CRI format. */
export function parseLogLine(line: Buffer): LogEntry | undefined {
  const first = line.indexOf(0x20);
  const second = line.indexOf(0x20, first + 1);
  const third = line.indexOf(0x20, second + 1);
  if (first < 0 || second < 0 || third < 0) return undefined;
  const tags = line.toString('latin1', second + 1, third);
  return {
    time: line.toString('latin1', 0, first),
    stream: line.toString('latin1', first + 1, second),
    isPartial: tags.split(':').includes('P'),
    text: line.subarray(third + 1),
  };
}

/** What `kubectl logs` asks for; `sinceMs` is a moment, `tailLines` counts lines from the end. */
export interface LogQuery {
  follow: boolean;
  previous: boolean;
  timestamps: boolean;
  tailLines?: number;
  sinceMs?: number;
  limitBytes?: number;
  /** Both if absent. */
  stream?: 'stdout' | 'stderr';
}

const streams = new Map([
  ['All', 'all'],
  ['Stdout', 'stdout'],
  ['Stderr', 'stderr'],
] as const);

/** Reads the query of a log request; a malformed number is a message, in Kubernetes' words. */
export function parseLogQuery(query: URLSearchParams, nowMs: number): LogQuery | string {
  const flag = (name: string) => ['true', '1', ''].includes(query.get(name) ?? 'false');
  const numbers: Partial<Record<'tailLines' | 'sinceSeconds' | 'limitBytes', number>> = {};
  for (const name of ['tailLines', 'sinceSeconds', 'limitBytes'] as const) {
    const text = query.get(name);
    if (text === null || text === '') continue;
    const least = name === 'tailLines' ? 0 : 1;
    if (!/^\d+$/.test(text) || Number(text) < least) {
      return `${name}: Invalid value: "${text}": must be ${least === 0 ? 'greater than or equal to 0' : 'greater than 0'}`;
    }
    numbers[name] = Number(text);
  }
  const sinceTime = query.get('sinceTime');
  const sinceTimeMs = sinceTime ? Date.parse(sinceTime) : undefined;
  if (Number.isNaN(sinceTimeMs)) return `sinceTime: Invalid value: "${sinceTime}": must be an RFC 3339 time`;
  const stream = streams.get((query.get('stream') || 'All') as 'All');
  if (!stream)
    return `stream: Unsupported value: "${query.get('stream')}": supported values: "All", "Stderr", "Stdout"`;
  const sinceMs = numbers.sinceSeconds ? nowMs - numbers.sinceSeconds * 1000 : sinceTimeMs;
  return {
    follow: flag('follow'),
    previous: flag('previous'),
    timestamps: flag('timestamps'),
    ...(numbers.tailLines !== undefined && { tailLines: numbers.tailLines }),
    ...(numbers.limitBytes !== undefined && { limitBytes: numbers.limitBytes }),
    ...(sinceMs !== undefined && { sinceMs }),
    ...(stream !== 'all' && { stream }),
  };
}
