/**
 * The paths of object members that occur twice in a JSON text, which `JSON.parse` keeps silent about. The text must
 * be valid JSON.
 */
export function duplicateFields(json: string): string[] {
  const found: string[] = [];
  const stack: { path: string; names?: Set<string>; index: number; name: string }[] = [];
  const token = /"(?:[^"\\]|\\.)*"|[{}[\],]/gs;
  const colon = /\s*:/y;
  const here = () => {
    const top = stack.at(-1);
    if (!top) return '';
    if (!top.names) return `${top.path}[${top.index}]`;
    return top.path === '' ? top.name : `${top.path}.${top.name}`;
  };
  const isName = (end: number) => {
    colon.lastIndex = end;
    return colon.test(json);
  };
  for (let match = token.exec(json); match; match = token.exec(json)) {
    const [text] = match;
    const top = stack.at(-1);
    if (text === '{') stack.push({ path: here(), names: new Set(), index: 0, name: '' });
    else if (text === '[') stack.push({ path: here(), index: 0, name: '' });
    else if (text === '}' || text === ']') stack.pop();
    else if (text === ',') top!.index++;
    else if (top?.names && isName(token.lastIndex)) {
      top.name = JSON.parse(text);
      if (top.names.has(top.name)) found.push(here());
      top.names.add(top.name);
    }
  }
  return found;
}

const colonCode = 0x3a;
const backslashCode = 0x5c;

/** How many members the objects of a JSON text have, twice the same included. The text must be valid JSON. */
export function membersIn(json: string): number {
  let members = 0;
  for (let quote = json.indexOf('"'); quote >= 0; quote = json.indexOf('"', quote)) {
    quote = json.indexOf('"', quote + 1);
    while (isEscaped(json, quote)) quote = json.indexOf('"', quote + 1);
    do quote += 1;
    while (json.charCodeAt(quote) <= 0x20);
    if (json.charCodeAt(quote) === colonCode) members += 1;
  }
  return members;
}

function isEscaped(json: string, at: number): boolean {
  let before = at;
  while (json.charCodeAt(before - 1) === backslashCode) before -= 1;
  return (at - before) % 2 === 1;
}
