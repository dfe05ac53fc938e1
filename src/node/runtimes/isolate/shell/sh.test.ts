import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { after, before, test } from 'node:test';
import { runCommand } from '../applets/index.ts';
import { PodFiles } from '../applets/pod-files.ts';

let folder: string;

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'selvage-sh-'));
  mkdirSync(join(folder, 'image/app'), { recursive: true });
  mkdirSync(join(folder, 'work'));
  mkdirSync(join(folder, 'conf'));
  writeFileSync(join(folder, 'image/app/main.js'), 'one\ntwo\nthree\n');
  writeFileSync(join(folder, 'conf/name'), 'world');
  writeFileSync(join(folder, 'secret-of-the-node'), 'secret');
  symlinkSync('../secret-of-the-node', join(folder, 'work/out'));
});
after(() => rmSync(folder, { recursive: true, force: true }));

/** Runs a command line as `kubectl exec` does; what it printed, then its exit code if that is not 0. */
async function run(words: string[], input = '', env: Record<string, string> = {}): Promise<string> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const files = new PodFiles(
    {
      rootDir: join(folder, 'image'),
      mounts: [
        { mountPath: '/work', hostPath: join(folder, 'work'), readOnly: false },
        { mountPath: '/etc/conf/', hostPath: join(folder, 'conf'), readOnly: true },
      ],
    },
    join(folder, 'image/app'),
  );
  const gathered = [stdout, stderr].map(async (stream) => Buffer.concat(await stream.toArray()).toString());
  const signal = new AbortController().signal;
  const pod = { name: 'web', processes: [] };
  const stdin = Readable.from(input === '' ? [] : [Buffer.from(input)]);
  const exitCode = await runCommand(
    { stdin, stdout, stderr, env, files, signal, isTerminal: false, pod },
    words,
  );
  stdout.end();
  stderr.end();
  const [out, errors] = await Promise.all(gathered);
  return `${out}${errors}${exitCode === 0 ? '' : `[${exitCode}]`}`;
}
const sh = (source: string, ...args: string[]) => run(['sh', '-c', source, ...args], '', { COLOR: 'blue' });

// biome-ignore-start lint/suspicious/noTemplateCurlyInString: the shell's own expansions
for (const [source, expected] of [
  ['echo a "b  c" \'$COLOR\' $COLOR "${COLOR}s"', 'a b  c $COLOR blue blues\n'],
  ['echo ${NOPE:-none} ${COLOR:+set} ${#COLOR} ${COLOR%ue} ${COLOR#b}', 'none set 4 bl lue\n'],
  ['X="a b"; echo $X "$X" | cat; echo $((2 + 3 * 4)) $(echo in | wc -c)', 'a b a b\n14 3\n'],
  ['true && echo yes || echo no; false && echo yes || echo no; ! false; echo $?', 'yes\nno\n0\n'],
  ['nope', 'sh: nope: not found\n[127]'],
  ['command -v ls; command -v cd; command -v nope || echo no; command echo a', '/bin/ls\ncd\nno\na\n'],
  ['type ls && type nope', 'ls is /bin/ls\nsh: nope: not found\n[1]'],
  ["set -- x; X=1 sh -c 'echo $X'; (X=2; exit 3); echo $? $X", '1\n3\n'],
  ['exit 7; echo never', '[7]'],
  ['(cd /work; pwd); pwd', '/work\n/app\n'],
  ['for x in 1 2 3; do if [ $x = 2 ]; then continue; fi; echo n$x; done', 'n1\nn3\n'],
  ['i=0; while [ $i -lt 3 ]; do i=$((i+1)); done; echo $i', '3\n'],
  ['cat main.js | grep -v two | head -n 1; tail -n 1 < main.js; wc -l main.js', 'one\nthree\n3 main.js\n'],
  ['echo x > /work/f; echo y >> /work/f; cat /work/f; rm /work/f; ls /work', 'x\ny\nout\n'],
  ['ls nope 2> /dev/null; ls nope 2>&1 | cat', 'ls: nope: No such file or directory\n'],
  ['echo x > /app/y', "sh: can't open /app/y: Read-only file system\n[1]"],
  ['echo /app/*.js "*"', '/app/main.js *\n'],
  ['printf "a b\\nc\\n" | while read first rest; do echo "$rest-$first"; done', 'b-a\n-c\n'],
  ['sleep 1 &', 'sh: syntax error: background jobs ("&") are not supported by this shell\n[2]'],
  ['case x in esac', 'sh: syntax error: "case" is not supported by this shell\n[2]'],
  ['echo "open', 'sh: syntax error: unterminated quoted string\n[2]'],
  ['set -e; if false; then :; fi; while false; do :; done; ! true; false || echo on', 'on\n'],
  ['set -e; if (false; true); then echo in; fi; (false; echo never); echo never', 'in\n[1]'],
  ['set -e; false; echo never', '[1]'],
  ['A=1 env | grep ^A=; echo "[$A]"', 'A=1\n[]\n'],
] as const) {
  // biome-ignore-end lint/suspicious/noTemplateCurlyInString: the shell's own expansions
  test(`sh: ${source}`, async () => assert.equal(await sh(source), expected));
}

test('a script has arguments, and comes through standard input too', async () => {
  assert.equal(await sh('echo $0 $1 $#', 'name', 'first'), 'name first 1\n');
  assert.equal(await run(['sh'], 'echo one\necho two\n'), 'one\ntwo\n');
});

test('the files are those that the container names: its image and mounts, and nothing else', async () => {
  assert.equal(await run(['ls', '/']), 'app\netc\nwork\n');
  assert.equal(await run(['ls', '/etc', '/etc/conf']), '/etc:\nconf\n\n/etc/conf:\nname\n');
  assert.equal(await run(['cat', '/etc/conf/name']), 'world');
  assert.equal(
    await run(['cat', '/work/../../../etc/passwd']),
    'cat: /work/../../../etc/passwd: No such file or directory\n[1]',
  );
  assert.equal(await run(['cat', '/work/out']), 'cat: /work/out: Permission denied\n[1]');
  assert.equal(
    await run(['cp', '/etc/conf/name', '/work/out']),
    'cp: /etc/conf/name: Permission denied\n[1]',
  );
  assert.equal(await run(['rm', '-rf', '/etc/conf/name']), 'rm: /etc/conf/name: Read-only file system\n[1]');
  assert.equal(await run(['find', '/', '-name', '*.js']), '/app/main.js\n');
});

test('an unknown command is told as containerd tells it, with exit code 127', async () => {
  assert.equal(await run(['foo']), 'exec: "foo": executable file not found in $PATH\n[127]');
  assert.equal(await run(['/bin/foo']), 'exec: "/bin/foo": stat /bin/foo: no such file or directory\n[127]');
  assert.equal(await run(['/bin/echo', 'found']), 'found\n');
});

test('what tar packs it unpacks, folders and modes included, and nothing leaves the folder', async () => {
  assert.equal(
    await sh('mkdir -p /work/a/b; echo 1 > /work/a/b/c; chmod 640 /work/a/b/c; mkdir /work/to'),
    '',
  );
  assert.equal(
    await sh(
      'tar cf - -C /work a | tar xmf - -C /work/to && cat /work/to/a/b/c && stat -c %a /work/to/a/b/c',
    ),
    '1\n640\n',
  );
  assert.equal(
    await sh('tar xf /work/evil.tar 2>&1'),
    'tar: /work/evil.tar: No such file or directory\n[1]'.replace('/work/evil.tar: ', ''),
  );
  const { pack } = await import('tar-stream');
  const archive = pack();
  archive.entry({ name: '../../escaped' }, 'x');
  archive.entry({ name: 'link', type: 'symlink', linkname: '/etc/passwd' });
  archive.entry({ name: 'fine' }, 'y');
  archive.finalize();
  writeFileSync(
    join(folder, 'work/evil.tar'),
    Buffer.concat(await Array.fromAsync(archive as AsyncIterable<Buffer>)),
  );
  const told = await sh('cd /work/to; tar xf /work/evil.tar; ls');
  assert.match(told, /^a\nfine\n/);
  assert.match(told, /tar: \.\.\/\.\.\/escaped: a name with "\.\." is not extracted/);
  assert.match(told, /tar: link: a symlink can't be made in an isolate/);
});
