import { join } from 'node:path';
import { packageRoot } from '../../src/package-info.js';
import { returnValueOf } from '../../src/seccomp/verdict.js';
import type { Skipped } from '../skipped.js';
import { InexpressibleError, libseccompRules, prioritiesOf } from './libseccomp-rules.js';
import { type Job, type Outcome, outcomeOf, type Peer } from './peer.js';
import { runTool } from './run-tool.js';

const driver = () => join(packageRoot(), 'bench', 'peers', 'libseccomp-driver.py');

function compile({ policy }: Job, optimize: number): Outcome {
  try {
    const priorities = prioritiesOf(policy);
    const rules = libseccompRules(policy).map((rule) => ({
      ...rule,
      priority: priorities.get(rule.number) ?? 0,
    }));
    const input = JSON.stringify({
      arch: policy.architecture.auditArch,
      default: returnValueOf(policy.defaultAction),
      optimize,
      rules,
    });
    return outcomeOf(runTool('python3', [driver()], { input }));
  } catch (error) {
    if (error instanceof InexpressibleError) return { refused: error.message };
    throw error;
  }
}

/** libseccomp's two optimisations, for all architectures; python3 calls the library. */
export function libseccomp():
  | { readonly version: string; readonly peers: readonly Peer[] }
  | Skipped {
  const { ok, output, complaints } = runTool('python3', [driver(), '--version']);
  if (!ok) return { skipped: `libseccomp cannot be called: ${complaints.at(-1)}` };
  return {
    version: Buffer.from(output).toString().trim(),
    peers: [1, 2].map((optimize) => ({
      name: `libseccomp ${optimize}`,
      compile: (job) => compile(job, optimize),
    })),
  };
}
