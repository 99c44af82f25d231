import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import anyTest, { type ExecutionContext, type TestFn } from 'ava';
import fc from 'fast-check';
import { architectureOf } from '../../src/seccomp/architecture.js';
import { disassemble } from '../../src/seccomp/bpf/disassemble.js';
import type { Program } from '../../src/seccomp/bpf/instruction.js';
import { Interpreter } from '../../src/seccomp/bpf/interpreter.js';
import { RET_K } from '../../src/seccomp/bpf/opcodes.js';
import { validateProgram } from '../../src/seccomp/bpf/validate.js';
import { compilePolicy } from '../../src/seccomp/compile/compile.js';
import type { Policy } from '../../src/seccomp/policy.js';
import { seccompData } from '../../src/seccomp/seccomp-data.js';
import { actionOf, formatAction } from '../../src/seccomp/verdict.js';
import { arbitraryFilters } from './arbitrary-policy.js';
import { argumentEdges } from './edges.js';
import { arbitraryProgram, arbitraryRefused } from './kernel/arbitrary-program.js';
import {
  askKernel,
  buildHelper,
  type Experiment,
  type KernelCase,
  type KernelVerdict,
} from './kernel/kernel-verdicts.js';
import { policyOf } from './policy-builder.js';

const test = anyTest as TestFn<{ directory: string; helper: string; skipped: string }>;

const RET_ALLOW: Program = [{ code: RET_K, jt: 0, jf: 0, k: 0x7fff0000 }];
const NATIVE = { x64: 'x86_64', arm64: 'aarch64', arm: 'arm' }[process.arch as string];
const architecture = architectureOf(NATIVE ?? 'x86_64');

/** They take no arguments, harm nobody, and never return 0. */
const HARMLESS = ['getpid', 'gettid', 'getppid'].map(
  (name) => architecture.syscalls.get(name) as number,
);
/** Allowed, they are ENOSYS. On 32-bit arm a number as large as x32's is SIGILL. */
const UNKNOWN = [1000, 1001, 1002, 1005, 1023];
const FOREIGN = architecture.wordBits === 32 ? [] : [0x40000000 + (HARMLESS[0] ?? 0)];
/** What a register holds. */
const WORD = (1n << BigInt(architecture.wordBits)) - 1n;

test.before((t) => {
  t.context = {
    directory: mkdtempSync(join(tmpdir(), 'halyard-verdicts-')),
    helper: '',
    skipped: '',
  };
  if (process.platform !== 'linux' || NATIVE === undefined) {
    t.context.skipped = `no seccomp on ${process.platform} ${process.arch}`;
    return;
  }
  const built = buildHelper(t.context.directory);
  if ('skipped' in built) t.context.skipped = built.skipped;
  else t.context.helper = built.path;
});

test.after.always((t) => rmSync(t.context.directory, { recursive: true, force: true }));

/** Whether the kernel can be asked at all. */
function isSkipped(t: ExecutionContext<{ helper: string; skipped: string }>): boolean {
  let { skipped } = t.context;
  if (skipped === '') {
    const probe = { program: RET_ALLOW, cases: [{ number: HARMLESS[0] ?? 0, args: [] }] };
    const verdict = askKernel(t.context.helper, [probe]).verdicts[0]?.[0];
    if (verdict?.kind === 'not loaded') skipped = `seccomp is refused: errno ${verdict.value}`;
  }
  if (skipped === '') return false;
  t.log(`skipped: ${skipped}`);
  t.pass();
  return true;
}

/** What the kernel should be seen to do for what a program returns. */
function expectedOf(
  returned: number,
  number: number,
): { kind: KernelVerdict['kind']; value?: bigint } {
  const action = actionOf(returned);
  switch (action.kind) {
    case 'errno':
      return { kind: 'returned', value: BigInt(-Math.min(action.errno, 4095)) };
    case 'trap':
      return { kind: 'trapped', value: BigInt(returned & 0xffff) };
    case 'kill-thread':
      return { kind: 'thread killed' };
    case 'kill-process':
      return { kind: 'process killed' };
    case 'user-notify':
      return { kind: 'notified', value: BigInt(number) };
    case 'trace':
      return { kind: 'returned', value: -38n };
    default:
      return HARMLESS.includes(number) ? { kind: 'returned' } : { kind: 'returned', value: -38n };
  }
}

function agrees(returned: number, { number }: KernelCase, verdict: KernelVerdict): boolean {
  const expected = expectedOf(returned, number);
  if (verdict.kind !== expected.kind) return false;
  if (expected.value !== undefined) return verdict.value === expected.value;
  return verdict.kind !== 'returned' || verdict.value > 0n;
}

/** Compares every case with the interpreter; counts the verdicts by action. */
function compare(
  t: ExecutionContext<{ helper: string; skipped: string }>,
  experiments: readonly Experiment[],
): Map<string, number> {
  const { instructionPointer, verdicts } = askKernel(t.context.helper, experiments);
  const seen = new Map<string, number>();
  experiments.forEach(({ program, cases }, index) => {
    const interpreter = new Interpreter(program);
    cases.forEach((each, at) => {
      const data = seccompData(architecture.auditArch, each.number, each.args, instructionPointer);
      const returned = interpreter.run(data);
      const verdict = verdicts[index]?.[at] as KernelVerdict;
      const action = actionOf(returned);
      seen.set(action.kind, (seen.get(action.kind) ?? 0) + 1);
      if (agrees(returned, each, verdict)) return;
      t.fail(
        `${each.number}(${each.args.map((arg) => `0x${arg.toString(16)}`)}): ${formatAction(action)} ` +
          `(0x${returned.toString(16)}), the kernel: ${verdict.kind} ${verdict.value}\n${disassemble(program)}`,
      );
    });
  });
  return seen;
}

function argsOf(data: Uint32Array): bigint[] {
  return [0, 1, 2, 3, 4, 5].map((argument) => {
    const high = BigInt(data[5 + 2 * argument] as number) << 32n;
    return (high | BigInt(data[4 + 2 * argument] as number)) & WORD;
  });
}

const kernelPolicy: fc.Arbitrary<Policy> = fc
  .record({
    rules: fc.array(
      fc.tuple(fc.constantFrom(...HARMLESS, ...UNKNOWN), arbitraryFilters(architecture.wordBits)),
      { minLength: 1, maxLength: 6 },
    ),
    defaultAction: fc.constantFrom('kill-thread', 'kill-process', 'trap', 'log', 'user-notify'),
  })
  .map(({ rules, defaultAction }) =>
    policyOf({
      architecture,
      defaultAction: { kind: defaultAction } as Policy['defaultAction'],
      syscalls: Object.fromEntries(rules),
    }),
  );

function sampleCases(policy: Policy, count: number): KernelCase[] {
  const edges = [...policy.syscalls.values()].flatMap((rules) =>
    [...argumentEdges(policy, rules)].map((data) => ({
      number: rules.number,
      args: argsOf(data),
    })),
  );
  const step = Math.max(1, Math.floor(edges.length / count));
  const others = [...HARMLESS, ...UNKNOWN, ...FOREIGN];
  return [
    ...edges.filter((_, index) => index % step === 0).slice(0, count),
    ...others.map((number) => ({ number, args: [] })),
  ];
}

test.serial('the kernel decides as the interpreter does: compiled policies', (t) => {
  if (isSkipped(t)) return;
  const experiments: Experiment[] = [];
  let cases = 0;
  for (const policy of fc.sample(kernelPolicy, 200)) {
    if (cases >= 2000) break;
    const experiment = { program: compilePolicy(policy), cases: sampleCases(policy, 32) };
    experiments.push(experiment);
    cases += experiment.cases.length;
  }
  const seen = compare(t, experiments);
  const total = [...seen.values()].reduce((sum, count) => sum + count, 0);
  t.log(`${total} verdicts: ${[...seen].map(([kind, count]) => `${kind} ${count}`).join(', ')}`);
  t.true(total >= 2000);
  for (const kind of ['allow', 'errno', 'trap', 'kill-thread', 'kill-process'])
    t.true(seen.has(kind));
  for (const kind of ['log', 'trace', 'user-notify']) t.true(seen.has(kind));
});

test.serial('the kernel decides as the interpreter does: any program', (t) => {
  if (isSkipped(t)) return;
  const args = fc.array(
    fc.oneof(
      fc.bigInt(0n, 40n),
      fc.constantFrom(0x80000000n, 0xffffffffn, (1n << 63n) & WORD, WORD),
    ),
    { minLength: 6, maxLength: 6 },
  );
  const cases = fc.array(fc.record({ number: fc.constantFrom(...HARMLESS, ...UNKNOWN), args }), {
    minLength: 2,
    maxLength: 4,
  });
  const seen = compare(t, fc.sample(fc.record({ program: arbitraryProgram, cases }), 120));
  t.log(`${[...seen].map(([kind, count]) => `${kind} ${count}`).join(', ')}`);
  t.true((seen.get('errno') ?? 0) > 20);
});

test.serial('the kernel refuses the programs that the validation refuses', (t) => {
  if (isSkipped(t)) return;
  const experiments = fc
    .sample(arbitraryRefused, 200)
    .map((program) => ({ program, cases: [{ number: HARMLESS[0] ?? 0, args: [] }] }));
  const { verdicts } = askKernel(t.context.helper, experiments);
  const counts = { refused: 0, taken: 0 };
  experiments.forEach(({ program }, index) => {
    let refusal = '';
    try {
      validateProgram(program);
    } catch (error) {
      refusal = String(error);
    }
    const verdict = verdicts[index]?.[0];
    const isRefused = verdict?.kind === 'not loaded';
    counts[isRefused ? 'refused' : 'taken']++;
    if (isRefused) t.is(verdict.value, 22n);
    if (isRefused !== (refusal !== '')) {
      t.fail(
        `the kernel ${isRefused ? 'refuses' : 'takes'} it, here: ${refusal}\n${disassemble(program)}`,
      );
    }
  });
  t.log(`${counts.refused} refused, ${counts.taken} taken`);
  t.true(counts.refused > 80 && counts.taken > 10);
});
