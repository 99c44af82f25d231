// Bundles the command: inversify alone, unbundled, costs three times the start of a bare Node.
import { chmodSync, rmSync } from 'node:fs';
import { build } from 'esbuild';

// Bundled CommonJS packages ask for Node's own modules by it.
const REQUIRE =
  "import { createRequire as halyardRequire } from 'node:module'; const require = halyardRequire(import.meta.url);";

/** inversify brings the small variant of this package: one copy is enough. */
const oneReflectMetadata = {
  name: 'one-reflect-metadata',
  setup: ({ onResolve, resolve }) =>
    onResolve({ filter: /^reflect-metadata$/ }, ({ resolveDir, kind }) =>
      resolve('reflect-metadata/lite', { resolveDir, kind }),
    ),
};

const shared = {
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  logLevel: 'warning',
  outExtension: { '.js': '.mjs' },
};
// Chunks are named by their content: those of the build before would stay.
rmSync('dist/bin', { recursive: true, force: true });
await build({
  ...shared,
  entryPoints: ['dist/src/cli/main.js'],
  outdir: 'dist/bin',
  splitting: true,
  minifySyntax: true,
  minifyWhitespace: true,
  plugins: [oneReflectMetadata],
  chunkNames: 'chunk-[hash]',
  external: ['@foxglove/wasm-zstd'],
  banner: { js: REQUIRE },
});
// Found by its name beside the module that starts it, bundled or not.
await build({
  ...shared,
  entryPoints: ['dist/src/trace/recording-thread.js'],
  outdir: 'dist/bin',
  outExtension: {},
  minifySyntax: true,
  external: ['@foxglove/wasm-zstd'],
  banner: { js: REQUIRE },
});
await build({
  ...shared,
  entryPoints: ['dist/src/bin/halyard.js'],
  outdir: 'dist/bin',
  bundle: false,
});
chmodSync('dist/bin/halyard.mjs', 0o755);
