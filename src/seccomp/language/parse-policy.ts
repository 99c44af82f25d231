import { parseCPolicy } from './c-parser.js';
import type { ParsedPolicy, ParseInput } from './parse-input.js';
import { parsePythonPolicy } from './python-parser.js';

/**
 * Parses a policy of either dialect: accepts what minijail accepts, with the same meaning, and rejects what it rejects.
 * @throws PolicyError with all faults of the policy and of the files it includes
 */
export function parsePolicy(input: ParseInput): ParsedPolicy {
  return input.dialect === 'minijail-c' ? parseCPolicy(input) : parsePythonPolicy(input);
}
