// Writes which system calls Node itself makes in a jailed device's process to seccomp/footprints: npm run node-footprint. It
// needs strace(1), and no KVM.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { footprintFolder } from '../src/cli/node-footprints.js';
import { measureNode } from './measure-node.js';

const SECONDS = 8;
const footprint = measureNode(SECONDS);
const { node, arch, syscalls, measured } = footprint;
const path = join(footprintFolder(), `node-${node}-${arch}.json`);
writeFileSync(path, `${JSON.stringify(footprint, undefined, 2)}\n`);
process.stdout.write(`${path}: ${syscalls.length} kinds of system calls, ${measured}\n`);
