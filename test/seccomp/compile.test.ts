import test from 'ava';
import fc from 'fast-check';
import { disassemble } from '../../src/seccomp/bpf/disassemble.js';
import { Interpreter } from '../../src/seccomp/bpf/interpreter.js';
import { compilePolicy } from '../../src/seccomp/compile/compile.js';
import { compilePlainly } from '../../src/seccomp/compile/compile-plain.js';
import { PolicyEvaluator } from '../../src/seccomp/evaluate.js';
import type { Policy } from '../../src/seccomp/policy.js';
import type { SeccompData } from '../../src/seccomp/seccomp-data.js';
import { actionOf, formatAction } from '../../src/seccomp/verdict.js';
import { arbitraryPolicy } from './arbitrary-policy.js';
import { policyEdges } from './edges.js';

/** Where the policy itself, its plain and its optimised program do not say the same. */
function disagreements(policy: Policy, cases: Iterable<SeccompData>): string[] {
  const evaluator = new PolicyEvaluator(policy);
  const plain = new Interpreter(compilePlainly(policy));
  const optimised = new Interpreter(compilePolicy(policy));
  const found: string[] = [];
  for (const data of cases) {
    const expected = formatAction(evaluator.actionOf(data));
    const verdicts = [plain, optimised].map((program) => formatAction(actionOf(program.run(data))));
    if (verdicts.every((verdict) => verdict === expected)) continue;
    found.push(`${[...data].map((word) => word.toString(16))}: ${expected}, got ${verdicts}`);
  }
  return found;
}

test('evaluator, plain and optimised program agree on all numbers and on argument edges', (t) => {
  let cases = 0;
  fc.assert(
    fc.property(arbitraryPolicy, (policy) => {
      const edges = [...policyEdges(policy)];
      cases += edges.length;
      const found = disagreements(policy, edges);
      if (found.length > 0) {
        throw new Error(`${found[0]}\n${disassemble(compilePolicy(policy))}`);
      }
    }),
    { numRuns: 30, includeErrorInReport: true },
  );
  t.log(`${cases} cases`);
  t.true(cases > 100_000);
});
