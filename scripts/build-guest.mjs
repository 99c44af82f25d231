// Builds the micro guest (native/guest) into build/guest/micro-guest.bin with gcc and ld alone.
// Elsewhere than on x86_64, or without a compiler, it says so and ends well: everything that needs
// the guest skips without it.
import { spawnSync } from 'node:child_process';
import { mkdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const guest = join(root, 'native', 'guest');
const outputDirectory = join(root, 'build', 'guest');

const largestImage = 64 * 1024;

const sources = [
  'entry.S',
  'main.c',
  'platform.c',
  'frames.c',
  'virtio.c',
  'balloon.c',
  'hostile.c',
  'hostile_chains.c',
  'hostile_registers.c',
];

// No SSE and no red zone: interrupt handlers save only the registers they use.
const guestFlags = [
  '-std=c17',
  '-O2',
  '-Wall',
  '-Wextra',
  '-Werror',
  '-ffreestanding',
  '-fno-builtin',
  '-fno-pic',
  '-fno-stack-protector',
  '-fno-asynchronous-unwind-tables',
  '-fcf-protection=none',
  '-m64',
  '-mno-red-zone',
  '-mgeneral-regs-only',
  '-nostdlib',
  '-static',
  '-no-pie',
  '-Wl,--build-id=none',
  '-Wl,-z,max-page-size=4096',
  '-Wl,--oformat=binary',
];

const harnessFlags = ['-std=gnu17', '-O2', '-Wall', '-Wextra', '-Werror', '-pthread', '-I', guest];

/** The first C compiler that answers, or undefined. */
function findCompiler() {
  const candidates = process.env.CC ? [process.env.CC] : ['gcc', 'cc'];
  return candidates.find(
    (name) => spawnSync(name, ['--version'], { stdio: 'ignore' }).status === 0,
  );
}

function compile(compiler, args) {
  const result = spawnSync(compiler, args, { stdio: 'inherit' });
  if (result.status !== 0) {
    console.error(`build-guest: ${compiler} failed; its messages above say where`);
    process.exit(1);
  }
}

function main() {
  if (process.arch !== 'x64') {
    console.log(`build-guest: skipped, the micro guest is x86_64 only (this is ${process.arch})`);
    return;
  }
  const compiler = findCompiler();
  if (compiler === undefined) {
    console.log('build-guest: skipped, no C compiler found (install gcc, or set CC)');
    return;
  }
  mkdirSync(outputDirectory, { recursive: true });
  const inputs = sources.map((name) => join(guest, name));
  const script = `-Wl,-T,${join(guest, 'micro_guest.ld')}`;
  const output = join(outputDirectory, 'micro-guest.bin');
  compile(compiler, [...guestFlags, script, '-o', output, ...inputs]);
  const { size } = statSync(output);
  if (size > largestImage) {
    console.error(`build-guest: ${output} has ${size} bytes, at most ${largestImage} are allowed`);
    process.exit(1);
  }
  if (process.argv.includes('--harness')) {
    const harness = ['harness.c', 'device.c'].map((name) => join(guest, 'harness', name));
    compile(compiler, [...harnessFlags, '-o', join(outputDirectory, 'harness'), ...harness]);
  }
}

main();
