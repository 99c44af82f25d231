import { setFlagsFromString } from 'node:v8';
import { main } from '../cli/main.js';

// V8 11 optimises WebAssembly after its first milliseconds, and a process that ends waits for it: more than a short replay
// takes. Later versions wait longer by themselves; a large trace still gets it.
if (process.versions.v8.startsWith('11.')) setFlagsFromString('--wasm-tiering-budget=20000000');

async function start(): Promise<void> {
  await main(process.argv);
  // Without this, Node waits for the compiler to improve code that nobody needs any more.
  process.stdout.write('', () => process.exit());
}

void start();
