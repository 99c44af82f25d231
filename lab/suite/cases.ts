import { FAULT_CASES } from './fault-cases.js';
import { MACHINE_CASES } from './machine-cases.js';
import { MEMORY_CASES } from './memory-cases.js';
import { PRESSURE_CASES } from './pressure-cases.js';
import type { SuiteCase } from './suite-case.js';

/** What must be seen with Linux's own balloon driver. */
export const SUITE: readonly SuiteCase[] = [
  ...MEMORY_CASES,
  ...PRESSURE_CASES,
  ...FAULT_CASES,
  ...MACHINE_CASES,
];
