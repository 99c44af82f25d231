import { main } from '../cli/main.js';

async function start(): Promise<void> {
  await main(process.argv);
  // Without this, Node waits for the compiler to improve code that nobody needs any more.
  process.stdout.write('', () => process.exit());
}

void start();
