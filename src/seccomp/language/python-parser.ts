import type { Action, Filter, Policy, SyscallRules } from '../policy.js';
import type { Place } from './diagnostic.js';
import { Findings } from './findings.js';
import type { ParseInput, PolicyAnalysis } from './parse-input.js';
import { type FilterStatement, PythonFiles } from './python-files.js';
import { overflowsPythonStack } from './python-stack.js';
import type { NamedSyscall } from './python-syscalls.js';

interface PlacedFilter {
  readonly filter: Filter;
  readonly place: Place;
}

/** What minijail's build-time compiler takes. */
export function analysePythonPolicy(input: ParseInput): PolicyAnalysis {
  const { architecture, options = {} } = input;
  const findings = new Findings();
  const denylist = options.denylist === true;
  const useRetLog = options.useRetLog === true;
  const killAction = killActionOf(input);
  const files = new PythonFiles({
    architecture,
    findings,
    denylist,
    useRetLog,
    killAction,
    include: input.include,
    ...(options.syscallGroups === undefined ? {} : { syscallGroups: options.syscallGroups }),
  });
  files.read(input.text, input.file);
  const listDefault: Action = denylist ? { kind: 'allow' } : killAction;
  const fallThrough = input.defaultAction ?? files.defaultAction ?? listDefault;
  const collector = new RulesCollector(input, fallThrough, findings);
  for (const statement of files.statements) collector.add(statement);
  const syscalls = collector.rules();
  const policy: Policy = {
    architecture,
    dialect: 'minijail-python',
    // A denylist allows what it does not name, whatever its default is.
    defaultAction: denylist ? { kind: 'allow' } : fallThrough,
    foreignAction: killAction,
    syscalls,
    frequencies: frequenciesByNumber(files.frequencies, input),
  };
  return { policy, faults: findings.faults, warnings: findings.warnings };
}

function killActionOf({ architecture, options = {} }: ParseInput): Action {
  if (options.useRetLog === true) return { kind: 'log' };
  if (options.denylist === true) {
    return { kind: 'errno', errno: Number(architecture.constants.get('EPERM') ?? 1n) };
  }
  return { kind: options.useKillProcess === true ? 'kill-process' : 'kill-thread' };
}

function frequenciesByNumber(
  byName: ReadonlyMap<string, number>,
  { architecture }: ParseInput,
): ReadonlyMap<number, number> {
  const byNumber = new Map<number, number>();
  for (const [name, frequency] of byName) {
    const number = architecture.syscalls.get(name);
    if (number !== undefined) byNumber.set(number, (byNumber.get(number) ?? 0) + frequency);
  }
  return byNumber;
}

/** Gathers the filters of each syscall over statements and includes, in their order. */
class RulesCollector {
  readonly #input: ParseInput;
  readonly #fallThrough: Action;
  readonly #findings: Findings;
  readonly #filters = new Map<number, { first: NamedSyscall; filters: PlacedFilter[] }>();

  constructor(input: ParseInput, fallThrough: Action, findings: Findings) {
    this.#input = input;
    this.#fallThrough = fallThrough;
    this.#findings = findings;
  }

  add({ syscalls, filters, place }: FilterStatement): void {
    for (const syscall of syscalls) {
      const known = this.#filters.get(syscall.number);
      if (known !== undefined && known.first.name !== syscall.name) {
        this.#findings.fault('same-syscall-number', {
          place: syscall.place,
          message: `${syscall.name} is another name of ${known.first.name}, which has rules`,
          remedy: `write ${known.first.name} in both rules`,
        });
        continue;
      }
      const entry = known ?? { first: syscall, filters: [] };
      for (const filter of filters) entry.filters.push({ filter, place });
      this.#filters.set(syscall.number, entry);
    }
  }

  rules(): ReadonlyMap<number, SyscallRules> {
    const rules = new Map<number, SyscallRules>();
    for (const [number, { first, filters }] of this.#filters) {
      this.#checkOrder(first, filters);
      this.#checkStack(first, filters);
      rules.set(number, {
        number,
        name: first.name,
        filters: this.#effective(first, filters),
        otherwise: this.#fallThrough,
      });
    }
    return rules;
  }

  /** Nothing may follow a filter without an expression. */
  #checkOrder(syscall: NamedSyscall, filters: readonly PlacedFilter[]): void {
    const first = filters.findIndex(({ filter }) => isUnconditional(filter));
    const [final, next] = first < 0 ? [] : filters.slice(first);
    if (final === undefined || next === undefined) return;
    const { file, line } = final.place.span;
    this.#findings.fault('duplicate-unconditional', {
      place: next.place,
      message: `${syscall.name} was decided without condition at ${file}:${line}`,
      remedy: 'remove this rule, or give the first one an expression',
    });
  }

  #checkStack(syscall: NamedSyscall, filters: readonly PlacedFilter[]): void {
    const { wordBits } = this.#input.architecture;
    const conditional = filters
      .map(({ filter }) => filter)
      .filter((filter) => !isUnconditional(filter));
    if (!overflowsPythonStack(conditional, wordBits)) return;
    this.#findings.fault('expression-too-long', {
      place: filters[0]?.place ?? syscall.place,
      message: `the filters of ${syscall.name} are too long for minijail's compiler`,
      remedy: 'use fewer comparisons: ranges, or masks with in and &',
    });
  }

  /**
   * The compiler takes a syscall whose last filter allows without condition to be allowed altogether, whatever the filters
   * before it say (not in denylists).
   */
  #effective(syscall: NamedSyscall, placed: readonly PlacedFilter[]): readonly Filter[] {
    const filters = placed.map(({ filter }) => filter);
    if (this.#input.options?.denylist === true) return filters;
    const last = filters.at(-1);
    const final = last !== undefined && isUnconditional(last) ? last : undefined;
    if ((final?.action ?? this.#fallThrough).kind !== 'allow') return filters;
    const lost = placed.find(({ filter }) => filter.action.kind !== 'allow');
    if (lost !== undefined) {
      this.#findings.warn('final-allow-drops-filters', {
        place: lost.place,
        message: `${syscall.name} is always allowed: minijail's compiler drops the filters before a final allow`,
        remedy:
          "state what is allowed as an expression, and let the last action be 'return' or kill",
      });
    }
    const span = final?.span ?? syscall.place.span;
    return [{ clauses: [], action: { kind: 'allow' }, span }];
  }
}

function isUnconditional({ clauses }: Filter): boolean {
  return clauses.length === 0;
}
