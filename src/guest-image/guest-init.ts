/**
 * What runs in the Linux guest as its first process: it loads the virtio drivers and then does what the console says.
 *
 * - It prints `guest: up N` (seconds since the guest's start) when it listens.
 * - `RUN="COMMANDS"` on the kernel's command line is done first, as if it had come over the console.
 * - Each line from the console is a command for the shell. Its output goes to the console; behind it comes a line
 *   `guest: exit N` with its exit code.
 * - `reboot -f` ends the guest where there is no ACPI power button (x86_64, with `reboot=k`); `poweroff -f` elsewhere.
 *
 * Its folders: /tmp is a tmpfs of any size (memory pressure is a file there), /lib has the drivers (`rmmod`, `insmod`).
 */
export const GUEST_INIT = `#!/bin/busybox sh
export PATH=/bin HOME=/ TERM=dumb
/bin/busybox mount -t proc proc /proc
/bin/busybox --install -s /bin
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mount -t tmpfs -o size=100% tmpfs /tmp
for module in virtio_ring virtio virtio_mmio virtio_balloon virtio_blk; do
  insmod /lib/$module.ko || echo "guest: no $module"
done
stty -echo -icrnl -onlcr 2>/dev/null
read -r up rest </proc/uptime
echo "guest: up $up"
obey() {
  ( eval "$1" ) </dev/null
  echo "guest: exit $?"
}
[ -n "$RUN" ] && obey "$RUN"
while read -r line; do obey "$line"; done
# The console is gone, and with it whoever gave orders.
reboot -f
`;

/** Loaded in this order: each needs those before it (reference: modinfo's "depends"). */
export const GUEST_MODULES = [
  'drivers/virtio/virtio_ring.ko',
  'drivers/virtio/virtio.ko',
  'drivers/virtio/virtio_mmio.ko',
  'drivers/virtio/virtio_balloon.ko',
  'drivers/block/virtio_blk.ko',
] as const;
