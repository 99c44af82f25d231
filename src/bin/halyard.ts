#!/usr/bin/env node
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleFor, loadBundledCommand } from './bundled-command.js';

// A program of the user's imports this package; the command must then share its modules, and not bring a bundle of its
// own. Everything else runs from the bundle beside this file, because it starts several times as fast.
const own = process.argv.some((arg) => arg === '--program' || arg.startsWith('--program='));
if (own) void import(new URL('../src/bin/command.js', import.meta.url).href);
else loadBundledCommand(dirname(fileURLToPath(import.meta.url)), bundleFor(process.argv)).run();
