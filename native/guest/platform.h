// The machine below the driver: ports, MMIO, interrupts, time and the console.
#ifndef HALYARD_GUEST_PLATFORM_H_
#define HALYARD_GUEST_PLATFORM_H_

#include <stdbool.h>
#include <stdint.h>

#include "guest_abi.h"

#define PAGE_SHIFT 12
#define PAGE_BYTES 4096u
#define NEVER UINT64_MAX

extern struct guest_boot_params params;
extern volatile uint32_t interrupt_pending;  // set by the device's interrupt handler

static inline void outb(uint16_t port, uint8_t value) {
  __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}
static inline void outl(uint16_t port, uint32_t value) {
  __asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port) : "memory");
}
static inline uint64_t rdtsc(void) {
  uint32_t low, high;
  __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
  return (uint64_t)high << 32 | low;
}
static inline uint32_t mmio_read32(uint64_t address) { return *(volatile uint32_t*)address; }
static inline void mmio_write32(uint64_t address, uint32_t value) {
  *(volatile uint32_t*)address = value;
}
// One rep instruction: on an emulating host far fewer dispatches than a loop.
static inline void copy_words(uint32_t* to, const uint32_t* from, uint64_t words) {
  __asm__ volatile("rep movsl" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
}

void platform_init(void);
// The time stamp `us` from now, for wait_for_interrupt and as a deadline to compare rdtsc() with.
uint64_t deadline_after_us(uint64_t us);
// Halts until an interrupt comes or the deadline passes; returns at once if one is pending.
void wait_for_interrupt(uint64_t deadline);
_Noreturn void guest_exit(enum guest_exit code);

// The console collects one line and sends it as the parameters say.
void print(const char* text);
void print_number(uint64_t value);
void print_hex(uint64_t value);
void end_line(void);
void print_line(const char* text);
// "text NUMBER unit"
void print_count(const char* text, uint64_t value, const char* unit);

#endif  // HALYARD_GUEST_PLATFORM_H_
