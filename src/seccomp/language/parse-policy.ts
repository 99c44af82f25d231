import { analyseCPolicy } from './c-parser.js';
import { PolicyError } from './diagnostic.js';
import type { ParsedPolicy, ParseInput, PolicyAnalysis } from './parse-input.js';
import { analysePythonPolicy } from './python-parser.js';

/**
 * Parses a policy of either dialect: accepts what minijail accepts, with the same meaning, and rejects what it rejects.
 * @throws PolicyError with all faults of the policy and of the files it includes
 */
export function parsePolicy(input: ParseInput): ParsedPolicy {
  const { policy, faults, warnings } = analysePolicy(input);
  if (faults.length > 0) throw new PolicyError(faults, warnings);
  return { policy, warnings };
}

/** As `parsePolicy`, for tools: with faults the policy has what could be understood. */
export function analysePolicy(input: ParseInput): PolicyAnalysis {
  return input.dialect === 'minijail-c' ? analyseCPolicy(input) : analysePythonPolicy(input);
}
