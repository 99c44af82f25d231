import test from 'ava';
import { microGuestFinding } from '../../src/cli/doctor-command.js';

test('the micro guest is needed on x86_64 only, and runs on nothing else', (t) => {
  const { ok, remedy } = microGuestFinding('x64', true);
  t.true(ok);
  t.is(remedy, '');
  t.like(microGuestFinding('x64', false), { ok: false, detail: 'not built' });
  t.not(microGuestFinding('x64', false).needed, false);
  for (const arch of ['arm64', 'arm']) {
    for (const isBuilt of [true, false]) {
      const finding = microGuestFinding(arch, isBuilt);
      t.like(finding, { ok: false, needed: false });
      t.regex(finding.detail, new RegExp(`this is ${arch}`));
      t.regex(finding.remedy, /guest fetch/);
    }
  }
});
