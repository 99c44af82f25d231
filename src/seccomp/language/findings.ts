import {
  type Place,
  type PolicyFault,
  type PolicyFaultCode,
  type PolicyWarning,
  type PolicyWarningCode,
  type Remark,
} from './diagnostic.js';
import { suggestName } from './nearest-name.js';

/** Looking for the nearest of thousands of names takes milliseconds. */
const SUGGESTION_LIMIT = 40;

/** More faults than this are not worth reading, and a hostile file may have millions. */
const FAULT_LIMIT = 1000;

/** Thrown where the rest of a statement makes no sense any more; whoever walks the statements goes on with the next. */
export class StatementAbandoned extends Error {
  override readonly name = 'StatementAbandoned';
}

/** Collects what is to be said of a policy while it is parsed. */
export class Findings {
  readonly #faults: PolicyFault[] = [];
  readonly #warnings: PolicyWarning[] = [];
  readonly #suggestions = new Map<string, string | undefined>();

  /** `did you mean 'madvise'?`, for the first unknown names of a policy. */
  suggest(
    kind: 'constant' | 'syscall' | 'group',
    wrong: string,
    known: Iterable<string>,
  ): string | undefined {
    const key = `${kind} ${wrong}`;
    if (!this.#suggestions.has(key) && this.#suggestions.size < SUGGESTION_LIMIT) {
      this.#suggestions.set(key, suggestName(wrong, known));
    }
    return this.#suggestions.get(key);
  }

  get warnings(): readonly PolicyWarning[] {
    return this.#warnings;
  }

  get faults(): readonly PolicyFault[] {
    return this.#faults;
  }

  fault(code: PolicyFaultCode, remark: Remark): void {
    if (this.#faults.length < FAULT_LIMIT) {
      this.#faults.push({ severity: 'error', code, token: textAt(remark.place), ...remark });
    } else if (this.#faults.length === FAULT_LIMIT) {
      this.#faults.push({
        severity: 'error',
        code: 'too-many-faults',
        token: '',
        place: remark.place,
        message: `more than ${FAULT_LIMIT} faults; the rest is not shown`,
      });
    }
  }

  /** Reports and gives up the statement. */
  abandon(code: PolicyFaultCode, remark: Remark): never {
    this.fault(code, remark);
    throw new StatementAbandoned();
  }

  warn(code: PolicyWarningCode, remark: Remark): void {
    this.#warnings.push({ severity: 'warning', code, token: textAt(remark.place), ...remark });
  }

  /** Runs one statement's parser; undefined if it gave up. */
  attempt<T>(parse: () => T): T | undefined {
    try {
      return parse();
    } catch (error) {
      if (error instanceof StatementAbandoned) return undefined;
      throw error;
    }
  }
}

function textAt({ span, sourceLine }: Place): string {
  return sourceLine.slice(span.column - 1, span.column - 1 + span.length);
}
