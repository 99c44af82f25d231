#!/usr/bin/env node
// A program of the user's imports this package; the command must then share its modules, and not bring a bundle of its
// own. Everything else starts from the bundle, because that is twice as fast.
const own = process.argv.some((arg) => arg === '--program' || arg.startsWith('--program='));
const { main } = (await import(
  new URL(own ? '../src/cli/main.js' : './main.mjs', import.meta.url).href
)) as { main: (argv: readonly string[]) => Promise<void> };
await main(process.argv);

export {};
