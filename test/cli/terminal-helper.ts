// Shows each key as the guest would get it, until the one that ends the run. For raw-terminal.test.ts.
import { rawTerminal } from '../../src/cli/raw-terminal.js';

const terminal = rawTerminal(process.stdin, () => {
  terminal.restore();
  process.stdout.write('ended\n');
});
// The program has no end of its own, as a VM that runs.
const running = setInterval(() => {}, 1000);
process.on('SIGINT', () => process.stdout.write('interrupted\n'));
terminal.input.on('data', (keys: Buffer) => process.stdout.write(`keys ${keys.toString('hex')}\n`));
process.stdout.write(`terminal ${process.stdin.isTTY === true}\n`);
process.stdin.once('pause', () => clearInterval(running));
