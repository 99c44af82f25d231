// The boot interface between the VMM and the micro guest. Everything is little-endian; README.md
// beside this file says the same in words. Shared by the guest, the harness and the VMM's tests.
#ifndef HALYARD_GUEST_ABI_H_
#define HALYARD_GUEST_ABI_H_

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

// Fixed guest-physical addresses.
#define GUEST_GDT_ADDRESS 0x500u
#define GUEST_PARAMS_ADDRESS 0x7000u
#define GUEST_BOOT_STACK 0x8ff0u
#define GUEST_PML4_ADDRESS 0x9000u
#define GUEST_PDPT_ADDRESS 0xa000u
#define GUEST_PD_ADDRESS 0xb000u  // four tables, one a GiB
#define GUEST_IMAGE_ADDRESS 0x100000u
#define GUEST_RAM_LIMIT 0xc0000000u  // RAM above this address is not used by the guest

// Ports.
#define GUEST_CONSOLE_PORT 0x3f8u
#define GUEST_EXIT_PORT 0x501u
#define GUEST_LINE_PORT 0x502u

#define GUEST_PARAMS_MAGIC 0x42475948u  // the bytes "HYGB"
#define GUEST_PARAMS_VERSION 1u

enum guest_flags {
  GUEST_RETOUCH = 1u << 0,        // write to deflated frames again; they must read as zero first
  GUEST_SHUFFLE = 1u << 1,        // fresh frames in the order of a seeded generator, not ascending
  GUEST_STATISTICS = 1u << 2,     // take the statistics queue if it is offered
  GUEST_VERIFY = 1u << 3,         // check the workload's pattern before its frames are freed
  GUEST_KEEP_WORKLOAD = 1u << 4,  // never free the workload's frames
  GUEST_LINE_CONSOLE = 1u << 5,   // lines by GUEST_LINE_PORT instead of GUEST_CONSOLE_PORT
};

// With GUEST_LINE_CONSOLE the guest writes the 32-bit guest-physical address of such a line to
// GUEST_LINE_PORT: one exit a line. Without it each byte of a line is an exit of its own, because
// KVM hands out string output element by element.
struct guest_line {
  uint32_t length;  // bytes in text, at most sizeof(text); the last one is '\n'
  char text[252];
};

// Values written to GUEST_EXIT_PORT.
enum guest_exit {
  GUEST_EXIT_DONE = 0,          // idle for idle_exit_us
  GUEST_EXIT_BAD_PARAMS = 1,    // magic, version or a value is wrong
  GUEST_EXIT_NO_DEVICE = 2,     // no virtio balloon at virtio_mmio_base, or it refused the set-up
  GUEST_EXIT_TIMEOUT = 3,       // a request was not answered within wait_timeout_us
  GUEST_EXIT_BAD_USED = 4,      // the used ring does not answer what was asked
  GUEST_EXIT_BAD_MEMORY = 5,    // a zero-check or pattern-check failed (said at the idle exit)
  GUEST_EXIT_HOSTILE_FAIL = 6,  // the device did not work after the hostile steps
  GUEST_EXIT_FAULT = 14,        // a CPU exception; the console has the vector and RIP
};

// hostile_mode: 0 none, 1 every step, 0x100 + N only the steps of case RN.
#define GUEST_HOSTILE_ALL 1u
#define GUEST_HOSTILE_ONLY 0x100u

struct guest_boot_params {
  uint32_t magic;
  uint16_t version;
  uint16_t size;               // sizeof(struct guest_boot_params)
  uint64_t ram_bytes;          // all RAM; only what lies below GUEST_RAM_LIMIT is used
  uint64_t virtio_mmio_base;   // below 4 GiB
  uint64_t touch_bytes;        // size of the workload, 0 for none
  uint32_t touch_chunk_bytes;  // 0: the whole workload in one chunk
  uint32_t touch_interval_us;  // pause after each chunk
  uint32_t virtio_gsi;         // edge triggered, below 24
  uint32_t tsc_khz;            // must not be 0
  uint32_t flags;              // enum guest_flags
  uint32_t hostile_mode;
  uint32_t shuffle_seed;
  uint32_t touch_rounds;      // how often the workload runs; 0 counts as 1
  uint32_t round_pause_us;    // pause between two rounds
  uint32_t wait_timeout_us;   // longest wait for the device; 0: 30 s (hostile steps: 1 s)
  uint32_t idle_exit_us;      // exit when nothing happened for so long; 0: never
  uint16_t queue_size;        // a power of two up to 256; 0: the device's maximum, up to 256
  uint16_t reserved;          // 0
  uint64_t decline_features;  // device feature bits that the driver shall not take
};

static_assert(offsetof(struct guest_boot_params, ram_bytes) == 8, "ABI");
static_assert(offsetof(struct guest_boot_params, virtio_mmio_base) == 16, "ABI");
static_assert(offsetof(struct guest_boot_params, touch_bytes) == 24, "ABI");
static_assert(offsetof(struct guest_boot_params, touch_chunk_bytes) == 32, "ABI");
static_assert(offsetof(struct guest_boot_params, touch_interval_us) == 36, "ABI");
static_assert(offsetof(struct guest_boot_params, virtio_gsi) == 40, "ABI");
static_assert(offsetof(struct guest_boot_params, tsc_khz) == 44, "ABI");
static_assert(offsetof(struct guest_boot_params, flags) == 48, "ABI");
static_assert(offsetof(struct guest_boot_params, hostile_mode) == 52, "ABI");
static_assert(offsetof(struct guest_boot_params, shuffle_seed) == 56, "ABI");
static_assert(offsetof(struct guest_boot_params, touch_rounds) == 60, "ABI");
static_assert(offsetof(struct guest_boot_params, round_pause_us) == 64, "ABI");
static_assert(offsetof(struct guest_boot_params, wait_timeout_us) == 68, "ABI");
static_assert(offsetof(struct guest_boot_params, idle_exit_us) == 72, "ABI");
static_assert(offsetof(struct guest_boot_params, queue_size) == 76, "ABI");
static_assert(offsetof(struct guest_boot_params, decline_features) == 80, "ABI");
static_assert(sizeof(struct guest_boot_params) == 88, "ABI");
static_assert(offsetof(struct guest_line, text) == 4 && sizeof(struct guest_line) == 256, "ABI");

// The first eight bytes of a touched page. Never zero, different for every page.
static inline uint64_t guest_page_pattern(uint32_t page_frame) {
  return (uint64_t)page_frame * 0x9e3779b97f4a7c15u | 1u;
}

#endif  // HALYARD_GUEST_ABI_H_
