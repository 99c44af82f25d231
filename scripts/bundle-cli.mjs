// Bundles the command, the processes that it starts for lanes, and the thread that writes traces. The command: inversify
// alone, unbundled, costs three times the start of a bare Node. One CommonJS file, because Node starts it without its
// asynchronous loader; beside it V8's code cache, and the file that starts both.
import { spawnSync } from 'node:child_process';
import { chmodSync, rmSync } from 'node:fs';
import { build } from 'esbuild';

/** Modules of Node's that a replay does not need, with what is used of them: loaded when that is called. */
const LAZY = { 'node:crypto': ['createHash', 'randomUUID'], 'node:child_process': ['spawn'] };

const lazyBuiltins = {
  name: 'lazy-builtins',
  setup: ({ onLoad, onResolve }) => {
    onResolve({ filter: /^node:(crypto|child_process)$/ }, ({ path, namespace }) =>
      namespace === 'lazy' ? { path, external: true } : { path, namespace: 'lazy' },
    );
    onLoad({ filter: /.*/, namespace: 'lazy' }, ({ path }) => ({
      contents: LAZY[path]
        .map((name) => `exports.${name} = (...args) => require('${path}').${name}(...args);`)
        .join('\n'),
      loader: 'js',
    }));
  },
};

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
  target: 'node20',
  logLevel: 'warning',
  minifySyntax: true,
  minifyWhitespace: true,
  // yaml is read by one command only; in the bundle it would be a third of what every command reads.
  external: ['@foxglove/wasm-zstd', 'yaml'],
};

rmSync('dist/bin', { recursive: true, force: true });
const commonJs = {
  ...shared,
  format: 'cjs',
  define: { 'import.meta.url': 'halyardUrl' },
  banner: { js: "const halyardUrl = require('node:url').pathToFileURL(__filename).href;" },
};
await build({
  ...commonJs,
  entryPoints: ['dist/src/bin/command.js'],
  outfile: 'dist/bin/command.cjs',
  plugins: [oneReflectMetadata, lazyBuiltins],
});
/** What a replay never loads: see src/bin/bundled-command.ts. */
const NOT_FOR_REPLAYS =
  /\/(seccomp\/commands|jail-check|(run|demo|guest|doctor|inspect|repair)-command)\.js$/;

const onlyReplay = {
  name: 'only-replay',
  setup: ({ onLoad }) =>
    onLoad({ filter: NOT_FOR_REPLAYS }, () => ({
      contents: 'export function addSeccompCommands() {}',
      loader: 'js',
    })),
};
await build({
  ...commonJs,
  logLevel: 'error',
  entryPoints: ['dist/src/bin/command.js'],
  outfile: 'dist/bin/replay.cjs',
  plugins: [onlyReplay, oneReflectMetadata, lazyBuiltins],
});
await build({
  ...commonJs,
  entryPoints: ['dist/src/bin/halyard.js'],
  outfile: 'dist/bin/halyard.cjs',
});
// Loads what its lane needs: see src/cli/child-lanes.ts.
await build({
  ...commonJs,
  entryPoints: ['dist/src/cli/lane-main.js'],
  outfile: 'dist/bin/lane-main.cjs',
  plugins: [oneReflectMetadata],
});
// Found by its name beside the module that starts it, bundled or not. One file: a thread of many modules takes 2.5 MB more.
for (const folder of ['dist/bin', 'dist/src/trace', 'dist/bench']) {
  await build({
    ...commonJs,
    entryPoints: ['dist/src/trace/recording-thread.js'],
    outfile: `${folder}/recording-thread.cjs`,
  });
}
// What the bench measures a recording process with: as the command is shipped, not as 200 modules.
await build({
  ...commonJs,
  entryPoints: ['dist/bench/child.js'],
  outfile: 'dist/bench/child.cjs',
  plugins: [oneReflectMetadata],
});
chmodSync('dist/bin/halyard.cjs', 0o755);
for (const bundle of ['command', 'replay']) {
  const args = ['scripts/code-cache.mjs', bundle];
  const cached = spawnSync(process.execPath, args, { encoding: 'utf8' });
  if (cached.status !== 0) {
    process.stderr.write(`no code cache, ${bundle} will start slowly: ${cached.stderr}\n`);
  }
}
