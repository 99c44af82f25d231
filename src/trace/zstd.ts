import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

/** What we use of the emscripten module: its heap and two C functions that return -1 on error. */
interface ZstdModule {
  HEAPU8: Uint8Array;
  _malloc(size: number): number;
  _free(pointer: number): void;
  _compressBound(size: number): number;
  _compress(to: number, toSize: number, from: number, fromSize: number, level: number): number;
  _decompress(to: number, toSize: number, from: number, fromSize: number): number;
}

type ReceiveInstance = (instance: WasmInstance, module: object) => void;
type ZstdFactory = (module: object) => unknown;

interface WasmInstance {
  readonly exports: object;
}

/** The part of the WebAssembly global that is used; Node's types leave it to the DOM's. */
interface Wasm {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => WasmInstance;
}

/** A piece of the WebAssembly heap that is kept between calls and only ever grows. */
class HeapBlock {
  #pointer = 0;
  #size = 0;

  reserve(module: ZstdModule, size: number): number {
    if (size <= this.#size) return this.#pointer;
    if (this.#pointer !== 0) module._free(this.#pointer);
    this.#size = 0;
    this.#pointer = module._malloc(size);
    if (this.#pointer === 0) throw new RangeError(`zstd: no memory for ${size} bytes`);
    this.#size = size;
    return this.#pointer;
  }
}

const input = new HeapBlock();
const output = new HeapBlock();
let loaded: ZstdModule | undefined;

/** True once this process has instantiated WebAssembly for zstd. */
export function zstdIsLoaded(): boolean {
  return loaded !== undefined;
}

/**
 * Compresses `source` into `target` at `offset`.
 * @returns the compressed size in bytes.
 * @throws RangeError if the compressor runs out of memory or `target` is too short.
 */
export function zstdCompress(
  source: Uint8Array,
  level: number,
  target: Uint8Array,
  offset: number,
): number {
  const zstd = load();
  const bound = zstd._compressBound(source.length);
  const to = output.reserve(zstd, bound);
  const from = input.reserve(zstd, source.length);
  zstd.HEAPU8.set(source, from);
  const size = zstd._compress(to, bound, from, source.length, level);
  if (size < 0) throw new RangeError(`zstd: could not compress ${source.length} bytes`);
  target.set(zstd.HEAPU8.subarray(to, to + size), offset);
  return size;
}

/** Upper bound of the compressed size of `size` bytes (zstd's own formula, ZSTD_COMPRESSBOUND). */
export function zstdBound(size: number): number {
  const margin = size < 131072 ? Math.floor((131072 - size) / 2048) : 0;
  return size + Math.floor(size / 256) + margin;
}

/**
 * Decompresses `source` to the start of `target`.
 * @returns the size in bytes, or -1 if `source` is damaged or holds more than `size` bytes.
 */
export function zstdDecompress(source: Uint8Array, size: number, target: Uint8Array): number {
  const zstd = load();
  // One byte to spare, since a block of no bytes may come back as a null pointer.
  const to = output.reserve(zstd, size + 1);
  const from = input.reserve(zstd, source.length + 1);
  zstd.HEAPU8.set(source, from);
  const actual = zstd._decompress(to, size, from, source.length);
  if (actual >= 0) target.set(zstd.HEAPU8.subarray(to, to + actual), 0);
  return actual;
}

/**
 * Makes zstd ready, so that the first chunk does not pay for it.
 * @throws Error in a process without WebAssembly (`node --jitless`).
 */
export function loadZstd(): void {
  load();
}

/** @throws Error in a process that cannot compress. */
export function requireWebAssembly(): Wasm {
  const wasm = (globalThis as { WebAssembly?: Wasm }).WebAssembly;
  if (wasm !== undefined) return wasm;
  throw new Error(
    'zstd needs WebAssembly, which this process lacks (started with --jitless?); ' +
      'write with compression "none", or pack the trace in another process',
  );
}

/**
 * The package loads itself asynchronously at import. Its generated part also takes a synchronous
 * instantiation, which is used here: a recorder cannot wait in the middle of a turn.
 */
function load(): ZstdModule {
  if (loaded !== undefined) return loaded;
  const wasm = requireWebAssembly();
  const require = createRequire(import.meta.url);
  const factory: ZstdFactory = require('@foxglove/wasm-zstd/dist/wasm-zstd.js');
  const code = readFileSync(require.resolve('@foxglove/wasm-zstd/dist/wasm-zstd.wasm'));
  const module = {
    instantiateWasm(imports: object, receive: ReceiveInstance): object {
      const compiled = new wasm.Module(code);
      const instance = new wasm.Instance(compiled, imports);
      receive(instance, compiled);
      return instance.exports;
    },
  };
  factory(module);
  loaded = module as unknown as ZstdModule;
  return loaded;
}
