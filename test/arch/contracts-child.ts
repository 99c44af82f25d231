// Records `contractsProgram` on this machine's hardware in a folder, or replays it from there, and prints what it found.
// For a Node of another architecture.
import 'reflect-metadata';
import type { FixtureMode } from '../../src/fixture/index.js';
import { runContracts } from './run-contracts.js';

const [folder = '', mode = ''] = process.argv.slice(2);
const findings = await runContracts(folder, mode as FixtureMode);
process.stdout.write(JSON.stringify({ arch: process.arch, findings }));
