import test from 'ava';
import type { CallSpec } from '../../src/hal/contract/define.js';
import { CONTRACTS } from '../../src/hal/contract-list.js';
import { type ArchitectureName, architectureOf } from '../../src/seccomp/architecture.js';
import { type MadeSyscall, madeSyscalls } from '../../src/verdict/made-syscalls.js';

type Args = Readonly<Record<string, unknown>>;

function specOf(entry: string): CallSpec {
  const [contract, name] = entry.split('.');
  const spec = CONTRACTS.find(({ halName }) => halName === contract)?.calls.find(
    (call) => call.name === name,
  );
  if (spec === undefined) throw new Error(`there is no ${entry}`);
  return spec;
}

function made(entry: string, args: Args, arch: ArchitectureName): readonly MadeSyscall[] {
  const footprint = specOf(entry).definition.options.syscalls ?? [];
  if (footprint === 'node') throw new Error(`${entry} is Node's`);
  return madeSyscalls(footprint, args, architectureOf(arch));
}

const texts = (entry: string, args: Args, arch: ArchitectureName) =>
  made(entry, args, arch).map(({ text }) => text);

test('the arguments that a call tells are known', (t) => {
  const ranges = Float64Array.of(0, 4096, 8192, 0, 16384, 8192, 65536, 4096);
  const discards = made('mmap.discard', { region: 1, ranges }, 'x86_64');
  t.deepEqual(
    discards.map(({ text, count }) => [text, count]),
    [
      ['madvise(…, 0x1000, MADV_REMOVE)', 2],
      ['madvise(…, 0x2000, MADV_REMOVE)', 1],
    ],
  );
  t.deepEqual(discards[0]?.words, [undefined, 4096n, 9n, undefined, undefined, undefined]);
  t.deepEqual(texts('mmap.discard', { region: 1, ranges: new Float64Array(0) }, 'arm'), []);
  t.deepEqual(texts('channel.adopt', { slot: 2, name: 'x' }, 'aarch64'), [
    'fcntl(0x5, F_SETFD, FD_CLOEXEC)',
  ]);
  t.deepEqual(texts('process.kill', { process: 1, signal: 'SIGTERM' }, 'arm'), [
    'kill(…, SIGTERM)',
  ]);
});

test('32-bit arm: offsets in pages, register pairs, and names of its own', (t) => {
  const adopt = { attachment: 1, size: 0x4000, offset: 0x3000 };
  t.deepEqual(texts('mmap.adoptRegion', adopt, 'arm'), [
    'statx(…, …, AT_EMPTY_PATH|AT_NO_AUTOMOUNT)',
    'fcntl64(…, F_GET_SEALS)',
    'mmap2(0x0, 0x4000, PROT_READ|PROT_WRITE, MAP_SHARED, …, 0x3)',
  ]);
  t.deepEqual(texts('mmap.adoptRegion', adopt, 'x86_64'), [
    'newfstatat(…, …, …, AT_EMPTY_PATH)',
    'fcntl(…, F_GET_SEALS)',
    'mmap(0x0, 0x4000, PROT_READ|PROT_WRITE, MAP_SHARED, …, 0x3000)',
  ]);
  const big = { disk: 1, offset: 0x1_0000_1000, length: 0x2000 };
  t.deepEqual(made('disk.discard', big, 'arm')[0]?.words, [
    undefined,
    3n,
    0x1000n,
    1n,
    0x2000n,
    0n,
  ]);
  t.deepEqual(made('disk.discard', big, 'aarch64')[0]?.words.slice(2, 4), [
    0x1_0000_1000n,
    0x2000n,
  ]);
  // One register stays unused, so that the pair begins at an even one.
  const created = made('mmap.createRegion', { name: 'ram', size: 0x8000 }, 'arm');
  t.is(created[1]?.text, 'ftruncate64(…, …, 0x8000, 0x0)');
  const part = { region: 1, offset: 0, path: 'x', fileOffset: 0x1_0000_0004, maxLength: 4096 };
  t.true(
    texts('mmap.loadRange', part, 'arm').includes('_llseek(…, 0x1, 0x4, …, SEEK_SET)'),
    'the high half comes first there',
  );
  t.is(
    made('mmap.createRegion', { name: 'ram', size: 0x1_0000_0000 }, 'arm')[3]?.words[1],
    undefined,
    'what is no word there is as good as not known',
  );
});

test('flags are those of the architecture, and of the call', (t) => {
  const flags = (arch: ArchitectureName, readOnly: boolean) =>
    made('disk.open', { name: 'image', readOnly }, arch)[0]?.words[2];
  t.is(flags('x86_64', true), 0x80800n);
  t.is(flags('x86_64', false), 0x80802n);
  t.is(flags('arm', true), 0xa0800n, 'with O_LARGEFILE');
});

test('every declared system call exists on every architecture that has it', (t) => {
  for (const contract of CONTRACTS) {
    for (const spec of [...contract.calls, ...contract.events]) {
      const footprint = spec.definition.options.syscalls ?? [];
      if (footprint === 'node') continue;
      const args = new Proxy({}, { get: () => [] }) as Args;
      for (const arch of ['x86_64', 'aarch64', 'arm'] as const) {
        const withoutValues = footprint.map(({ name, times, instead }) => ({
          name,
          times,
          instead,
        }));
        t.notThrows(() => madeSyscalls(withoutValues, args, architectureOf(arch)));
      }
    }
  }
});
