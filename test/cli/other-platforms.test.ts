import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { promisify } from 'node:util';
import test from 'ava';

const execute = promisify(execFile);
const BIN = 'dist/bin/halyard.cjs';
const RECORDING = 'recordings/device-killed/run.mcap';
const DOES_NOT_LOAD = '/nonexistent/halyard.node';

/** A Node that believes to run elsewhere: without an addon, and without the files that only Linux has. */
function elsewhere(platform: string): string {
  const code = `
    import fs from 'node:fs';
    import { syncBuiltinESMExports } from 'node:module';
    Object.defineProperty(process, 'platform', { value: ${JSON.stringify(platform)} });
    const linux = /^(?:\\/dev\\/kvm|\\/(?:proc|sys)\\/)/;
    for (const name of ['openSync', 'readFileSync', 'accessSync', 'statSync']) {
      const original = fs[name];
      fs[name] = (path, ...rest) => {
        if (linux.test(String(path))) throw Object.assign(new Error('ENOENT: ' + path), { code: 'ENOENT' });
        return original(path, ...rest);
      };
    }
    const { existsSync } = fs;
    fs.existsSync = (path) => !linux.test(String(path)) && existsSync(path);
    syncBuiltinESMExports();
  `;
  return `data:text/javascript,${encodeURIComponent(code)}`;
}

const run = (platform: string, args: readonly string[]) =>
  execute(process.execPath, ['--import', elsewhere(platform), ...args], {
    env: { ...process.env, HALYARD_ADDON: DOES_NOT_LOAD },
  });

for (const platform of ['win32', 'darwin']) {
  test(`${platform}: recordings replay, and everything but the native profile loads`, async (t) => {
    const { stdout } = await run(platform, [BIN, 'replay', RECORDING]);
    t.regex(stdout, /identical \(exact\)/);
    const load = `
      const names = ['index', 'fixture/index', 'hal/native/index'];
      for (const name of names) await import(new URL('dist/src/' + name + '.js', 'file://' + process.cwd() + '/').href);
      console.log(process.platform);
    `;
    const loaded = await run(platform, ['--input-type=module', '-e', load]);
    t.is(loaded.stdout, `${platform}\n`);
  });

  test(`${platform}: the demo replays a shipped recording and says why`, async (t) => {
    const { stdout } = await run(platform, [BIN, 'demo']);
    t.regex(stdout, /^No VM can run here: this machine has no \/dev\/kvm\n/);
    t.regex(stdout, /identical \(exact\)/);
  });

  test(`${platform}: a run says what is missing and exits with 3`, async (t) => {
    const failure = await t.throwsAsync<Error & { code: number; stderr: string }>(
      run(platform, [BIN, 'run', '--seconds', '1']),
    );
    t.is(failure?.code, 3);
    t.regex(failure?.stderr ?? '', /^halyard: .*addon.*\n$/);
  });

  test(`${platform}: the build of the addon gives up in one line and does not fail the install`, async (t) => {
    const { stdout, stderr } = await run(platform, ['scripts/build-native.mjs']);
    t.is(stdout, '');
    t.regex(stderr, new RegExp(`^halyard: .*needs Linux, this is ${platform}.*\\n$`));
    t.true(existsSync(BIN));
  });
}
