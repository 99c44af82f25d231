// Runs a jailed device over real memory, doorbells and channels for some seconds, for who looks on with strace(1). Its
// arguments: where to record it, and how many seconds.
import { loadDeviceJail } from '../src/cli/device-jail.js';
import { RealDevice } from '../test/programs/real-device.js';

const [record = '', seconds = ''] = process.argv.slice(2);
const PAGES = 0x1000;
const FIRST_PAGE = 0x1000;

const device = new RealDevice({
  config: { jail: 'user-notify' },
  record,
  filterPrograms: loadDeviceJail('user-notify').programs,
});
await device.boot();
const end = performance.now() + Number(seconds) * 1000;
let kicks = 0;
while (performance.now() < end) {
  await device.inflate(FIRST_PAGE + (kicks++ % PAGES));
}
// What a process does that has nothing to do.
await new Promise((resolve) => setTimeout(resolve, Number(seconds) * 200));
device.shutDown();
await device.ended;
process.stdout.write(JSON.stringify({ kicks }));
