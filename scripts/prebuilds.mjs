// Compiles the addon for every architecture, into prebuilds/: what the npm package ships, so that an install needs no
// compiler. `prebuilds.mjs x64 arm64 arm` makes only those named. They need glibc 2.34 or later, and no libstdc++.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { compileAddon, compilerFlags, hasTool, nodeHeaders, root } from './native-toolchain.mjs';

/**
 * Debian's compilers, and the names that node-gyp-build looks for: what is between the dots has to fit the machine
 * (libuv's major version, because the addon uses it; the C library; on arm the version of the architecture).
 */
const TARGETS = {
  x64: {
    triple: 'x86_64-linux-gnu',
    package: 'g++-x86-64-linux-gnu',
    file: 'halyard.uv1.glibc.node',
    flags: [],
  },
  arm64: {
    triple: 'aarch64-linux-gnu',
    package: 'g++-aarch64-linux-gnu',
    file: 'halyard.uv1.glibc.node',
    flags: [],
  },
  arm: {
    triple: 'arm-linux-gnueabihf',
    package: 'g++-arm-linux-gnueabihf',
    file: 'halyard.uv1.armv7.glibc.node',
    flags: ['-march=armv7-a+fp', '-mfloat-abi=hard'],
  },
};

function giveUp(reason) {
  process.stderr.write(`halyard: no prebuilds were made: ${reason}\n`);
  process.exit(1);
}

const named = process.argv.slice(2);
const unknown = named.find((arch) => TARGETS[arch] === undefined);
if (unknown !== undefined) giveUp(`there is no target ${unknown}, only ${Object.keys(TARGETS)}`);
const wanted = named.length === 0 ? Object.keys(TARGETS) : named;
const headers = nodeHeaders();
if (headers === undefined) giveUp('Node was installed without its headers');

for (const arch of wanted) {
  const { triple, package: debianPackage, file, flags } = TARGETS[arch];
  const compiler = `${triple}-g++`;
  if (!hasTool(compiler)) giveUp(`${compiler} is missing; Debian has it in ${debianPackage}`);
  const folder = join(root, 'prebuilds', `linux-${arch}`);
  rmSync(folder, { recursive: true, force: true });
  try {
    await compileAddon({
      compiler,
      arch,
      flags: [...compilerFlags(headers), '-O3', '-DNDEBUG', ...flags],
      linkFlags: ['-static-libstdc++', '-static-libgcc', '-Wl,--as-needed', '-s'],
      folder: join(root, 'build', 'prebuild', arch),
      output: join(folder, file),
    });
  } catch (error) {
    giveUp(`${compiler} failed\n${error.message}`);
  }
  process.stdout.write(`prebuilds/linux-${arch}/${file}\n`);
}
