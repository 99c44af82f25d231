// Bundles the command: inversify alone, unbundled, costs three times the start of a bare Node.
import { chmodSync } from 'node:fs';
import { build } from 'esbuild';

const shared = {
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  logLevel: 'warning',
  outExtension: { '.js': '.mjs' },
};
await build({
  ...shared,
  entryPoints: ['dist/src/cli/main.js'],
  outdir: 'dist/bin',
  splitting: true,
  minifySyntax: true,
  chunkNames: 'chunk-[hash]',
  external: ['@foxglove/wasm-zstd'],
  banner: {
    js: "import { createRequire as halyardRequire } from 'node:module'; const require = halyardRequire(import.meta.url);",
  },
});
await build({
  ...shared,
  entryPoints: ['dist/src/bin/halyard.js'],
  outdir: 'dist/bin',
  bundle: false,
});
chmodSync('dist/bin/halyard.mjs', 0o755);
