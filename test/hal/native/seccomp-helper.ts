// Installs a filter that refuses uname(2) and says what hostname() does before and after; SYS_uname of x86_64.
import { hostname } from 'node:os';
import { HalError } from '../../../src/hal/contract/errors.js';
import { Seccomp } from '../../../src/hal/seccomp.js';
import { makeNativeRig } from './native-implementations.js';

const LOAD_WORD = 0x20;
const JUMP_IF_EQUAL = 0x15;
const RETURN = 0x06;
const UNAME = 63;
const ALLOW = 0x7fff0000;
const ERRNO_EPERM = 0x00050001;

const instructions: readonly (readonly [number, number, number, number])[] = [
  [LOAD_WORD, 0, 0, 0],
  [JUMP_IF_EQUAL, 0, 1, UNAME],
  [RETURN, 0, 0, ERRNO_EPERM],
  [RETURN, 0, 0, ALLOW],
];

function program(): Uint8Array {
  // One byte in front, so that the program is not aligned.
  const whole = new Uint8Array(1 + instructions.length * 8);
  const view = new DataView(whole.buffer, 1);
  instructions.forEach(([code, jumpTrue, jumpFalse, constant], index) => {
    view.setUint16(index * 8, code, true);
    view.setUint8(index * 8 + 2, jumpTrue);
    view.setUint8(index * 8 + 3, jumpFalse);
    view.setUint32(index * 8 + 4, constant, true);
  });
  return whole.subarray(1);
}

function outcome(call: () => unknown): string {
  try {
    call();
    return 'ok';
  } catch (error) {
    return HalError.is(error) ? `${error.code} ${error.syscall} ${error.errno}` : 'refused';
  }
}

const rig = makeNativeRig();
const seccomp = rig.hal(Seccomp);
const outcomes = [
  outcome(hostname),
  // A program that ends without a return.
  outcome(() => seccomp.install({ program: program().subarray(0, 8) })),
  outcome(() => seccomp.install({ program: program() })),
  outcome(hostname),
];
rig.dispose();
process.stdout.write(outcomes.join('\n'));
