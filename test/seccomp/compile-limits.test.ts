import test from 'ava';
import type { Program } from '../../src/seccomp/bpf/instruction.js';
import { Interpreter } from '../../src/seccomp/bpf/interpreter.js';
import { JA, LD_W_ABS, RET_K } from '../../src/seccomp/bpf/opcodes.js';
import { compilePolicy } from '../../src/seccomp/compile/compile.js';
import { CompileError } from '../../src/seccomp/compile/compile-error.js';
import { compilePlainly } from '../../src/seccomp/compile/compile-plain.js';
import { PolicyEvaluator } from '../../src/seccomp/evaluate.js';
import type { Clause, Policy } from '../../src/seccomp/policy.js';
import { seccompData } from '../../src/seccomp/seccomp-data.js';
import { actionOf, sameAction } from '../../src/seccomp/verdict.js';
import { argumentEdges, numberEdges } from './edges.js';
import { ALLOW, atom, errno, filter, policyOf } from './policy-builder.js';

const COMPILERS = [compilePolicy, compilePlainly];

function listOf(length: number, argument = 1): Clause[] {
  return Array.from({ length }, (_, index) => [atom(argument, '==', index * 37 + 5)]);
}

test('long jumps: programs of more than 255 instructions decide the same', (t) => {
  const policy = policyOf({
    syscalls: {
      ioctl: { filters: [filter(ALLOW, ...listOf(400))], otherwise: errno(25) },
      prctl: [filter(ALLOW, ...listOf(200, 0)), filter(errno(1), ...listOf(100, 2))],
      read: [filter(ALLOW)],
    },
  });
  const judge = new PolicyEvaluator(policy);
  for (const compile of COMPILERS) {
    const program = compile(policy);
    t.true(program.length > 600);
    const interpreter = new Interpreter(program);
    let cases = 0;
    for (const number of [0, 1, 16, 157]) {
      for (let value = 0n; value < 16_000n; value += 1n) {
        const args = [value, (value * 7n) % 16_000n, (value * 3n) % 9_000n, 1n];
        const data = seccompData(0xc000003e, number, args);
        if (!sameAction(actionOf(interpreter.run(data)), judge.actionOf(data))) t.fail(`${args}`);
        cases++;
      }
    }
    t.is(cases, 64_000);
  }
  // The plain one must go a long way past bodies.
  t.true(compilePlainly(policy).some(({ code }) => code === JA));
});

test('a list of 400 values is searched, and its high half looked at once', (t) => {
  const policy = policyOf({ syscalls: { ioctl: [filter(ALLOW, ...listOf(400))] } });
  const interpreter = new Interpreter(compilePolicy(policy));
  for (let index = 0; index < 400; index++) {
    const data = seccompData(0xc000003e, 16, [0n, BigInt(index * 37 + 5)]);
    t.is(actionOf(interpreter.run(data)).kind, 'allow');
    t.true(interpreter.executed <= 4 + 3 + 13, `${interpreter.executed}`);
  }
});

test('more than 4096 instructions is an error that says so', (t) => {
  for (const compile of COMPILERS) {
    const fits = policyOf({ syscalls: { ioctl: [filter(ALLOW, ...listOf(900))] } });
    t.true(compile(fits).length <= 4096);
    const tooLong = policyOf({ syscalls: { ioctl: [filter(ALLOW, ...listOf(20_000))] } });
    const error = t.throws(() => compile(tooLong), { instanceOf: CompileError });
    t.is(error?.code, 'PROGRAM_TOO_LONG');
    t.regex(error?.message ?? '', /makes \d+ instructions, a kernel takes 4096/);
  }
});

test('conditions that a diagram would multiply are tested clause by clause', (t) => {
  const clauses = Array.from({ length: 40 }, (_, index) => [
    atom(0, '&', 1n << BigInt(index)),
    atom(1, '&', 1n << BigInt((index * 7) % 40)),
    atom(2, '&', 1n << BigInt((index * 11) % 40)),
  ]);
  const policy = policyOf({ syscalls: { read: [filter(ALLOW, ...clauses)] } });
  const judge = new PolicyEvaluator(policy);
  const program = compilePolicy(policy);
  t.true(program.length < 400);
  const interpreter = new Interpreter(program);
  for (const rules of policy.syscalls.values()) {
    let cases = 0;
    for (const data of argumentEdges(policy, rules)) {
      if (cases++ % 13 !== 0 || sameAction(actionOf(interpreter.run(data)), judge.actionOf(data)))
        continue;
      t.fail(String([...data]));
    }
  }
});

test('arguments that no kernel loads are refused, where the policy names them', (t) => {
  const cases: [number, boolean][] = [
    [-3, false],
    [-2, true],
    [-1, true],
    [5, true],
    [6, false],
    [10, false],
  ];
  for (const [argument, works] of cases) {
    const policy = policyOf({ syscalls: { read: [filter(ALLOW, [atom(argument, '==', 1)])] } });
    for (const use of [...COMPILERS, (given: Policy) => new PolicyEvaluator(given)]) {
      if (works) t.notThrows(() => use(policy));
      else {
        const error = t.throws(() => use(policy), { instanceOf: CompileError });
        t.is(error?.code, 'ARGUMENT_NOT_LOADABLE');
        t.is(error?.message.slice(0, 17), 'test.policy:1:1: ');
        t.regex(error?.message ?? '', /accepted by minijail but the kernel refuses it/);
      }
    }
  }
});

/** Words that a run loads. */
function loadsOf(program: Program, data: Uint32Array): number[] {
  const interpreter = new Interpreter(program);
  interpreter.run(data);
  const loads: number[] = [];
  let loaded = 0;
  for (let pc = 0; program[pc] !== undefined; pc++) {
    const { code, jt, jf, k } = program[pc] as Program[number];
    if (code === RET_K) break;
    if (code === LD_W_ABS) {
      loads.push(k);
      loaded = data[k / 4] as number;
    } else if (code === JA) pc += k;
    else {
      const [single] = [{ code: 0x00, jt: 0, jf: 0, k: loaded }];
      const test = [single, { code, jt: 0, jf: 1, k }, { ...single, code: RET_K, k: 1 }];
      const yes = new Interpreter([...test, { ...single, code: RET_K, k: 2 }] as Program).run(data);
      pc += yes === 1 ? jt : jf;
    }
  }
  return loads;
}

test('what is always allowed is decided by architecture and number alone, so that a kernel caches it', (t) => {
  const policy = policyOf({
    syscalls: {
      read: [filter(ALLOW)],
      ioctl: [filter(ALLOW, ...listOf(9))],
      madvise: [filter(ALLOW, [atom(2, '==', 4)])],
      write: [filter(ALLOW)],
      futex: [filter(ALLOW)],
    },
    frequencies: { ioctl: 1000, madvise: 500, read: 10 },
  });
  const program = compilePolicy(policy);
  for (const data of numberEdges(policy)) {
    if (data[0] === 16 || data[0] === 28) continue;
    for (const load of loadsOf(program, data)) t.true(load === 0 || load === 4);
  }
  t.true(loadsOf(program, seccompData(0xc000003e, 16, [])).includes(24));
});

test('numbers of x32 are what the default makes of them', (t) => {
  for (const defaultAction of [ALLOW, errno(38)]) {
    const policy = policyOf({ defaultAction, syscalls: { read: [filter(errno(1))] } });
    for (const compile of COMPILERS) {
      const interpreter = new Interpreter(compile(policy));
      const run = (number: number) =>
        actionOf(interpreter.run(seccompData(0xc000003e, number, [])));
      t.deepEqual(run(0x40000000), defaultAction);
      t.deepEqual(run(0), errno(1));
    }
  }
});
