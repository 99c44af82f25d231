import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { withDebianPackages } from '../../src/guest-image/debian-packages.js';

// Stand-ins for apt and dpkg-deb: they say what they were called with and hand out one package.
const APT_GET = `#!/bin/sh
echo "apt-get $*" >>"$LOG"
case $1 in
  update) [ ! -e "$LOG.offline" ] || { echo "E: no network" >&2; exit 100; } ;;
  download) [ ! -e "$LOG.offline" ] || { echo "E: no such package" >&2; exit 100; }
    : >"$2_1.2_arm64.deb" ;;
  install) folder=\${3#*=}
    : >"$folder/qemu_7.2_arm64.deb"; : >"$folder/libc6_2.36_arm64.deb" ;;
esac
`;
const APT_CACHE = `#!/bin/sh
echo "$2"
echo "  Depends: linux-image-6.1.0-9-cloud-arm64"
`;
const DPKG_DEB = '#!/bin/sh\nmkdir -p "$3/content/$(basename "$2")"\n';

interface Scene {
  readonly cache: string;
  readonly log: string;
  readonly calls: () => readonly string[];
}

/** Puts the stand-ins and a cache of its own into the environment; tests of this file run one after another. */
function scene(t: ExecutionContext): Scene {
  const folder = mkdtempSync(join(tmpdir(), 'halyard-debian-'));
  const tools = join(folder, 'tools');
  mkdirSync(tools);
  for (const [name, text] of [
    ['apt-get', APT_GET],
    ['apt-cache', APT_CACHE],
    ['dpkg-deb', DPKG_DEB],
  ] as const) {
    writeFileSync(join(tools, name), text);
    chmodSync(join(tools, name), 0o755);
  }
  const before = { ...process.env };
  const log = join(folder, 'log');
  writeFileSync(log, '');
  process.env['PATH'] = `${tools}:${before['PATH']}`;
  process.env['XDG_CACHE_HOME'] = folder;
  process.env['LOG'] = log;
  t.teardown(() => {
    process.env = before;
    rmSync(folder, { recursive: true });
  });
  const calls = () => readFileSync(log, 'utf8').trim().split('\n');
  return { cache: join(folder, 'halyard', 'debian', 'arm64'), log, calls };
}

const isLinux = process.platform === 'linux';
const onLinux = isLinux ? test.serial : test.serial.skip;
const SOURCE = { architecture: 'arm64', progress: () => {}, refresh: false } as const;

onLinux(
  'a package is fetched for the other architecture, on a state of its own, once',
  async (t) => {
    const { cache, calls } = scene(t);
    const unpack = () =>
      withDebianPackages(SOURCE, (packages) => packages.unpacked('busybox-static'));
    const path = await unpack();
    t.is(path, join(cache, 'busybox-static_1.2_arm64'));
    t.true(existsSync(join(path, 'content')));
    t.is(calls().length, 2);
    for (const call of calls()) {
      t.regex(call, /-o APT::Architecture=arm64 /);
      t.regex(call, /-o Dir::State=\S+\/debian\/arm64\/\.apt-/);
    }
    t.is(await unpack(), path);
    t.is(calls().length, 2, 'the second time it comes from the cache');
    t.deepEqual(readdirSync(cache), [basename(path)], "apt's state and the download are gone");
  },
);

onLinux('a package comes with all that it depends on, in one tree, once', async (t) => {
  const { cache, calls } = scene(t);
  const unpack = () => withDebianPackages(SOURCE, (packages) => packages.withDependencies('qemu'));
  const path = await unpack();
  t.is(path, join(cache, 'qemu+dependencies_7.2_arm64'));
  t.deepEqual(readdirSync(join(path, 'content')).sort(), [
    'libc6_2.36_arm64.deb',
    'qemu_7.2_arm64.deb',
  ]);
  t.is(calls().filter((call) => call.includes('--download-only')).length, 1);
  t.is(await unpack(), path);
  t.is(calls().filter((call) => call.includes('--download-only')).length, 1);
  t.deepEqual(readdirSync(cache), [basename(path)]);
});

onLinux('the kernel is the one that the meta package depends on', async (t) => {
  scene(t);
  const path = await withDebianPackages(SOURCE, (packages) => packages.cloudKernel());
  t.is(basename(path), 'linux-image-6.1.0-9-cloud-arm64_1.2_arm64');
});

onLinux(
  'the newest of the cache is taken, by number, and a refresh asks apt all the same',
  async (t) => {
    const { cache, calls } = scene(t);
    for (const version of ['6.1.0-9', '6.1.0-56', '6.1.0-10']) {
      mkdirSync(join(cache, `linux-image-${version}-cloud-arm64_1.0_arm64`), { recursive: true });
    }
    const path = await withDebianPackages(SOURCE, (packages) => packages.cloudKernel());
    t.is(basename(path), 'linux-image-6.1.0-56-cloud-arm64_1.0_arm64');
    t.deepEqual(calls(), ['']);
    const refreshing = { ...SOURCE, refresh: true };
    await withDebianPackages(refreshing, async (packages) => {
      const fresh = await packages.cloudKernel();
      t.is(basename(fresh), 'linux-image-6.1.0-9-cloud-arm64_1.2_arm64');
      t.is(await packages.cloudKernel(), fresh);
    });
    t.is(calls().filter((call) => call.includes('apt-get download')).length, 1);
  },
);

onLinux('without a network it says so in one line, and leaves nothing behind', async (t) => {
  const { cache, log } = scene(t);
  appendFileSync(`${log}.offline`, '');
  const fetch = withDebianPackages(SOURCE, (packages) => packages.unpacked('libc6'));
  const error = await t.throwsAsync(fetch, { code: 'UNSUPPORTED' });
  t.regex(error?.message ?? '', /^apt-get update failed: E: no network\. Use a machine whose apt/);
  t.deepEqual(readdirSync(cache), []);
});
