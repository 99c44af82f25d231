import type { Action, Policy, SourceSpan, SyscallRules } from '../policy.js';
import { implicitAllows } from './c-implicit.js';
import { type LogicalLine, splitCLines } from './c-lines.js';
import { CProgramSize, INSTRUCTION_LIMIT, LABEL_LIMIT } from './c-program-size.js';
import { type CRule, parseCRule } from './c-rule.js';
import { parseCInclude } from './c-statement.js';
import { startOfFile } from './diagnostic.js';
import { Findings } from './findings.js';
import { includedText } from './included-text.js';
import type { ParseInput, PolicyAnalysis } from './parse-input.js';
import { Slice } from './slice.js';

const DEFAULT_ACTIONS: ReadonlySet<Action['kind']> = new Set([
  'kill-thread',
  'kill-process',
  'trap',
  'log',
]);

/** What libminijail's look-up answers for an unknown name, as the kernel sees it; an implicit allow takes it as it is. */
const NUMBER_OF_NONE = 0xffffffff;

interface Definition {
  readonly name: string;
  readonly rule: CRule;
  readonly span: SourceSpan;
}

/** What libminijail reads at run time. */
export function analyseCPolicy(input: ParseInput): PolicyAnalysis {
  return new CParser(input).parse();
}

class CParser {
  readonly #input: ParseInput;
  readonly #findings = new Findings();
  readonly #defaultAction: Action;
  readonly #allowsLogging: boolean;
  readonly #size: CProgramSize;
  /** The first place of each name: a second one is a fault, whatever its number. */
  readonly #firstPlaces = new Map<string, SourceSpan>();
  /** By number, which decides: two names may have one. */
  readonly #definitions = new Map<number, Definition>();
  #sizeIsReported = false;

  constructor(input: ParseInput) {
    this.#input = input;
    this.#defaultAction = input.defaultAction ?? { kind: 'kill-thread' };
    this.#allowsLogging = input.options?.allowLogging ?? this.#defaultAction.kind === 'log';
    this.#size = new CProgramSize(input.architecture);
  }

  parse(): PolicyAnalysis {
    const { file, text } = this.#input;
    this.#checkDefaultAction();
    this.#allowImplicitly();
    this.#parseFile(text, file, 0);
    const { faults, warnings } = this.#findings;
    return { policy: this.#policy(), faults, warnings };
  }

  #checkDefaultAction(): void {
    const { kind } = this.#defaultAction;
    const place = startOfFile(this.#input.file, this.#input.text);
    if (!DEFAULT_ACTIONS.has(kind)) {
      this.#findings.fault('invalid-default-action', {
        place,
        message: `${kind} is no default action of the C dialect`,
        remedy: `it may be ${[...DEFAULT_ACTIONS].join(', ')}`,
      });
    } else if (kind === 'log' && !this.#allowsLogging) {
      this.#findings.fault('invalid-default-action', {
        place,
        message: 'the default action log needs a build that allows logging',
      });
    }
  }

  #allowImplicitly(): void {
    const { architecture, file, options, text } = this.#input;
    const { span } = startOfFile(file, text);
    for (const name of implicitAllows(architecture.name, options ?? {})) {
      const number = architecture.syscalls.get(name) ?? NUMBER_OF_NONE;
      this.#size.add(name, number, { kind: 'always', action: { kind: 'allow' } });
      this.#define(number, { name, span, rule: { kind: 'always', action: { kind: 'allow' } } });
    }
  }

  #parseFile(text: string, file: string, depth: number): void {
    const { lines, dropped } = splitCLines(text, file);
    for (const line of lines) {
      this.#findings.attempt(() => this.#parseLine(line, depth));
    }
    if (dropped !== undefined && dropped.text.trim() !== '') {
      this.#findings.warn('rule-dropped-at-end', {
        place: dropped.place(0, dropped.text.length),
        message: 'the file ends in a backslash: this line is dropped',
        remedy: 'remove the backslash',
      });
    }
  }

  #parseLine(line: LogicalLine, depth: number): void {
    const content = this.#content(line).stripped();
    const text = content.text;
    if (text === '') return;
    if (text.startsWith('#')) {
      if (line.isJoined) this.#warnOfSwallowed(line);
      return;
    }
    if (text.startsWith('@')) {
      this.#parseStatement(content, depth);
      return;
    }
    this.#parseRuleLine(content);
  }

  /** A line ends at its first NUL character. */
  #content(line: LogicalLine): Slice {
    const whole = Slice.of(line);
    const nul = line.text.indexOf('\0');
    if (nul < 0) return whole;
    this.#findings.warn('nul-byte', {
      place: line.place(nul, nul + 1),
      message: 'the line ends at this NUL character',
      remedy: 'remove it',
    });
    return whole.part(0, nul);
  }

  #warnOfSwallowed(line: LogicalLine): void {
    this.#findings.warn('comment-swallows-line', {
      place: line.secondLine(),
      message: 'this line belongs to the comment before it, which ends in a backslash',
      remedy: 'remove the backslash',
    });
  }

  #parseStatement(statement: Slice, depth: number): void {
    if (statement.text.startsWith('@frequency')) {
      this.#findings.warn('frequency-ignored', {
        place: statement.place,
        message: 'the C dialect ignores @frequency',
      });
      return;
    }
    const path = parseCInclude(statement, depth, this.#findings);
    const inclusion = {
      code: 'include-unreadable',
      path: path.text,
      place: path.place,
      remedy: 'the C dialect takes it relative to the working directory',
    } as const;
    const text = includedText(inclusion, this.#input.include, this.#findings);
    this.#parseFile(text, path.text, depth + 1);
  }

  #parseRuleLine(content: Slice): void {
    const colon = content.text.indexOf(':');
    if (colon < 0) {
      this.#findings.abandon('missing-colon', {
        place: content.place,
        message: "no ':' in this line",
        remedy: "a rule is 'NAME: RULE'",
      });
    }
    const rule = content.part(colon + 1).stripped();
    const name = content.part(0, colon).stripped();
    if (rule.text === '') {
      this.#findings.abandon('empty-rule', {
        place: rule.placeAfter,
        message: `nothing after '${name.text}:'`,
        remedy: "write '1' to allow the syscall",
      });
    }
    const number = this.#numberOf(name);
    if (number === undefined && this.#allowsLogging) return;
    if (number !== undefined) this.#checkRepetition(name);
    const parsed = parseCRule(rule, {
      architecture: this.#input.architecture,
      findings: this.#findings,
      defaultAction: this.#defaultAction,
    });
    if (number === undefined) return;
    this.#checkSize(name, number, parsed);
    this.#define(number, { name: name.text, rule: parsed, span: content.place.span });
  }

  #numberOf(name: Slice): number | undefined {
    const { syscalls, name: architecture } = this.#input.architecture;
    const number = syscalls.get(name.text);
    if (number !== undefined) return number;
    const remark = {
      place: name.place,
      message: `${architecture} has no syscall '${name.text}'`,
      remedy: this.#findings.suggest('syscall', name.text, syscalls.keys()),
    };
    if (this.#allowsLogging) this.#findings.warn('unknown-syscall-skipped', remark);
    else this.#findings.fault('unknown-syscall', remark);
    return undefined;
  }

  #checkRepetition(name: Slice): void {
    const first = this.#firstPlaces.get(name.text);
    if (first === undefined) {
      this.#firstPlaces.set(name.text, name.place.span);
      return;
    }
    const remark = {
      place: name.place,
      message: `second rule for ${name.text}; the first is at ${first.file}:${first.line}`,
      remedy: 'join the rules in one line',
    };
    if (this.#input.options?.allowDuplicates === true) {
      this.#findings.warn('shadowed-definition', remark);
    } else {
      this.#findings.fault('duplicate-syscall', remark);
    }
  }

  #checkSize(name: Slice, number: number, rule: CRule): void {
    const labels = this.#size.add(name.text, number, rule);
    if (labels === 'duplicate' && this.#input.options?.allowDuplicates === true) {
      this.#findings.fault('duplicate-syscall', {
        place: name.place,
        message: `two rules with arguments or 'return' for ${name.text}`,
        remedy: 'join the rules in one line',
      });
    } else if (labels === 'duplicate' && this.#isAlias(name.text, number)) {
      this.#findings.fault('same-syscall-number', {
        place: name.place,
        message: `${name.text} is another name of a syscall that has rules with arguments`,
        remedy: 'join the rules in one line',
      });
    }
    if (this.#sizeIsReported) return;
    if (labels === 'too-many') {
      this.#reportSize(name, 'too-many-labels', `more than ${LABEL_LIMIT} labels in the program`);
    } else if (this.#size.instructions > INSTRUCTION_LIMIT) {
      this.#reportSize(
        name,
        'program-too-long',
        `more than ${INSTRUCTION_LIMIT} instructions in the program`,
      );
    }
  }

  #isAlias(name: string, number: number): boolean {
    const first = this.#definitions.get(number);
    return first !== undefined && first.name !== name;
  }

  #reportSize(name: Slice, code: 'too-many-labels' | 'program-too-long', message: string): void {
    this.#sizeIsReported = true;
    this.#findings.fault(code, {
      place: name.place,
      message: `${message}, which is the limit of libminijail`,
      remedy: 'use fewer clauses: ranges, or masks with in and &',
    });
  }

  /** The first rule of a number decides. */
  #define(number: number, definition: Definition): void {
    const first = this.#definitions.get(number);
    if (first === undefined) this.#definitions.set(number, definition);
  }

  #policy(): Policy {
    const syscalls = new Map<number, SyscallRules>();
    for (const [number, { name, rule, span }] of this.#definitions) {
      syscalls.set(number, { number, name, ...this.#rulesOf(rule, span) });
    }
    return {
      architecture: this.#input.architecture,
      dialect: 'minijail-c',
      defaultAction: this.#defaultAction,
      foreignAction: { kind: 'kill-thread' },
      syscalls,
      frequencies: new Map(),
    };
  }

  #rulesOf(rule: CRule, span: SourceSpan): Pick<SyscallRules, 'filters' | 'otherwise'> {
    if (rule.kind === 'always') {
      return {
        filters: [{ clauses: [], action: rule.action, span }],
        otherwise: this.#defaultAction,
      };
    }
    const { clauses, otherwise } = rule;
    if (clauses.length === 0) return { filters: [], otherwise };
    return { filters: [{ clauses, action: { kind: 'allow' }, span }], otherwise };
  }
}
