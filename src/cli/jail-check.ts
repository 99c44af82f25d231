import { TurnSchema } from '../hal/contract/schema.js';
import type { TurnSink } from '../hal/record/turn-encoder.js';
import { decodeTurn } from '../hal/replay/turn-decoder.js';
import { laneName, type Program } from '../program.js';
import { type ArchitectureName, architectureOf } from '../seccomp/architecture.js';
import { checkArguments } from '../seccomp/compile/check-arguments.js';
import { formatDiagnostic } from '../seccomp/language/diagnostic.js';
import { parsePolicy } from '../seccomp/language/parse-policy.js';
import type { Dialect } from '../seccomp/policy.js';
import { LaneJudge, type LaneVerdicts } from '../verdict/lane-judge.js';
import { judgeNode, type NodeVerdicts } from '../verdict/node-footprint.js';
import { SyscallJudge } from '../verdict/syscall-verdict.js';
import { UsageError } from './failure.js';
import { readNodeFootprints } from './node-footprints.js';
import type { Output } from './output.js';
import { readText, tryReadText } from './policy-text.js';

/** What `replay` is told of a jail. */
export interface JailFlags {
  /** The policy's file. */
  readonly policy: string;
  readonly arch: ArchitectureName;
  readonly dialect: Dialect;
  /** The lanes to judge, with all that they do; empty for what the program says is jailed. */
  readonly lanes: readonly string[];
}

/** What a jail would say of a recorded run. */
export interface JailReport {
  readonly policy: string;
  readonly arch: ArchitectureName;
  readonly dialect: Dialect;
  /** `refused` if anything of it is refused that the process does not survive, or that the HAL asks for. */
  readonly verdict: 'allowed' | 'refused';
  readonly lanes: readonly LaneVerdicts[];
  readonly node: NodeVerdicts;
  readonly warnings: readonly string[];
}

/** A policy, ready to judge the lanes of traces. */
export class JailCheck {
  readonly #flags: JailFlags;
  readonly #judge: SyscallJudge;
  readonly #warnings: readonly string[];
  readonly #lanes: LaneJudge[] = [];

  /** @throws UsageError for a policy that cannot be read; PolicyError, CompileError for one that is none or that no kernel takes. */
  constructor(flags: JailFlags) {
    this.#flags = flags;
    const texts = new Map<string, string>();
    const include = (file: string): string | Error => {
      const text = tryReadText(file);
      if (typeof text === 'string') texts.set(file, text);
      return text;
    };
    const text = readText(flags.policy);
    texts.set(flags.policy, text);
    const parsed = parsePolicy({
      text,
      file: flags.policy,
      dialect: flags.dialect,
      architecture: architectureOf(flags.arch),
      include,
    });
    checkArguments(parsed.policy);
    this.#judge = new SyscallJudge(parsed.policy, texts);
    this.#warnings = parsed.warnings.map(formatDiagnostic);
  }

  /**
   * Gets a lane's turns as a replay makes them; undefined if the lane is not to be judged.
   *
   * @param recorded the names of all lanes of the trace.
   */
  sink<Config>(
    program: Program<Config>,
    recorded: readonly string[],
    lane: string,
  ): TurnSink | undefined {
    const scope = scopeOf(program, recorded, this.#flags.lanes);
    if (!scope.lanes.includes(lane)) return undefined;
    const judge = new LaneJudge(lane, this.#judge, scope.entries);
    this.#lanes.push(judge);
    const schema = new TurnSchema(program.contracts);
    return {
      turn: (_number, _timeNs, bytes, end) => judge.turn(decodeTurn(schema, bytes, 0, end)),
    };
  }

  report(): JailReport {
    const { policy, arch, dialect } = this.#flags;
    const lanes = this.#lanes.map((lane) => lane.verdicts());
    const node = judgeNode(readNodeFootprints(), process.version, this.#judge);
    const isRefused =
      lanes.some(({ findings }) => findings.some(({ kind }) => kind === 'refused')) ||
      node.findings.some(({ kind, isSurvived }) => kind === 'refused' && !isSurvived);
    const verdict = isRefused ? 'refused' : 'allowed';
    return { policy, arch, dialect, verdict, lanes, node, warnings: this.#warnings };
  }
}

interface Scope {
  readonly lanes: readonly string[];
  readonly entries: ReadonlySet<string> | undefined;
}

/**
 * Which process is jailed: the lanes that the program says are, if the trace has them. In a trace of a single process, what
 * those lanes would do is done by another: then the calls and events are judged that they have.
 */
function scopeOf<Config>(
  program: Program<Config>,
  recorded: readonly string[],
  wanted: readonly string[],
): Scope {
  if (wanted.length > 0) {
    const isMeant = (name: string) => wanted.includes(name) || wanted.includes(laneName(name));
    const lanes = recorded.filter(isMeant);
    if (lanes.length > 0) return { lanes, entries: undefined };
    throw new UsageError(
      `the trace has no lane ${wanted.join(', ')}; it has ${recorded.join(', ')}`,
    );
  }
  const lanes = recorded.filter((name) => program.lanes[laneName(name)]?.jailed !== undefined);
  if (lanes.length > 0) return { lanes, entries: undefined };
  const entries = Object.values(program.lanes).flatMap(({ jailed }) => jailed ?? []);
  return { lanes: recorded, entries: entries.length === 0 ? undefined : new Set(entries) };
}

/** For people. */
export function showJail(file: string, report: JailReport, output: Output): void {
  for (const warning of report.warnings) output.warn(warning);
  output.line(`${file}: under ${report.policy} (${report.arch}, ${report.dialect}):`);
  for (const { lane, judged, syscalls, passedOver, byNode, findings } of report.lanes) {
    const node = byNode.length === 0 ? '' : `; Node makes those of ${byNode.join(', ')}`;
    output.line(
      `  lane ${lane}: ${syscalls} system calls of ${judged} calls and events judged, ${passedOver} passed over${node}`,
    );
    for (const { kind, turn, entry, syscall, why, times } of findings) {
      const more = times === 1 ? '' : ` (${times} times)`;
      const what =
        kind === 'refused'
          ? `turn ${turn}: ${entry} makes ${syscall}: ${why}`
          : `turn ${turn}: ${entry} makes ${syscall}, which depends ${why}`;
      output.line(`    ${kind === 'refused' ? 'REFUSED' : 'depends'}  ${what}${more}`);
    }
  }
  showNode(report.node, output);
  const isAllowed = report.verdict === 'allowed';
  output.line(`  ${isAllowed ? 'nothing of it is refused' : 'REFUSED: this jail would not do'}`);
}

function showNode({ basis, syscalls, findings }: NodeVerdicts, output: Output): void {
  output.line(`  Node's own (${basis}): ${syscalls} system calls judged`);
  for (const { kind, isSurvived, syscall, why } of findings) {
    const said = kind === 'depends' ? `depends ${why}` : why;
    const mark = kind === 'depends' ? 'depends' : isSurvived ? 'fails  ' : 'REFUSED';
    output.line(`    ${mark}  ${syscall}: ${said}`);
  }
}
