#!/usr/bin/env node
import { main } from '../cli/main.js';

// A program of the user's imports this package; the command must then share its modules, and not bring a bundle of its
// own. Everything else runs from the bundle that this file becomes, because it starts several times as fast.
const own = process.argv.some((arg) => arg === '--program' || arg.startsWith('--program='));

async function start(): Promise<void> {
  const url = new URL('../src/cli/main.js', import.meta.url).href;
  const run = own ? ((await import(url)) as { main: typeof main }).main : main;
  await run(process.argv);
  // Without this, Node waits for the compiler to improve code that nobody needs any more.
  process.stdout.write('', () => process.exit());
}

void start();
