import { spawnSync } from 'node:child_process';
import test from 'ava';

/** A hook of Node's loader that names each module on standard error. */
const HOOK = `
import { writeSync } from 'node:fs';
export async function load(url, context, next) { writeSync(2, 'loads ' + url + '\\n'); return next(url, context); }
`;
const dataUrl = (text: string) => `data:text/javascript,${encodeURIComponent(text)}`;
const REGISTER = `import { register } from 'node:module'; register(${JSON.stringify(dataUrl(HOOK))});`;

/** The modules that a command loads, unbundled. */
function modulesOf(...args: readonly string[]): readonly string[] {
  const { status, stderr } = spawnSync(
    process.execPath,
    ['--import', dataUrl(REGISTER), 'dist/src/bin/command.js', ...args],
    { encoding: 'utf8' },
  );
  if (status !== 0) throw new Error(stderr);
  return [...stderr.matchAll(/^loads (\S+)$/gm)].map(([, url]) => url ?? '');
}

const ofSeccomp = (url: string) => /\/src\/seccomp\//.test(url);
const ofYaml = (url: string) => /\/yaml\//.test(url);

test('a replay loads nothing of the policy language, and JSON tests no YAML', (t) => {
  const replay = modulesOf('replay', 'recordings/boot/run.mcap');
  t.true(replay.some((url) => url.endsWith('/src/cli/replay-command.js')));
  t.deepEqual(replay.filter(ofSeccomp), []);
  const json = modulesOf('seccomp', 'test', 'test/seccomp/data/arguments.json');
  t.true(json.some(ofSeccomp));
  t.deepEqual(json.filter(ofYaml), []);
  t.true(modulesOf('seccomp', 'test', 'test/seccomp/data/files.yaml').some(ofYaml));
});
