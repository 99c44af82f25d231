#include "platform.h"

#define LAPIC 0xfee00000u
#define LAPIC_ID 0x20u
#define LAPIC_TPR 0x80u
#define LAPIC_SVR 0xf0u
#define LAPIC_LVT_TIMER 0x320u
#define LAPIC_LVT_LINT0 0x350u
#define LAPIC_TIMER_INITIAL 0x380u
#define LAPIC_TIMER_DIVIDE 0x3e0u
#define LVT_MASKED 0x10000u
#define TIMER_DIVIDE_BY_1 0xbu

#define IOAPIC 0xfec00000u
#define IOAPIC_WINDOW 0x10u
#define IOAPIC_REDIRECTION 0x10u

#define VECTOR_DEVICE 0x30u
#define VECTOR_TIMER 0x31u
#define VECTOR_SPURIOUS 0xffu
#define CODE_SELECTOR 0x08u
#define INTERRUPT_GATE 0x8e00u

// KVM's local APIC timer counts nanoseconds; a longer wait takes several shots.
#define LONGEST_SHOT_NS 1000000000u

struct idt_entry {
  uint16_t offset_low, selector, type, offset_mid;
  uint32_t offset_high, zero;
};
struct __attribute__((packed)) idt_pointer {
  uint16_t limit;
  uint64_t base;
};
struct exception_frame {
  uint64_t vector, error, rip, cs, rflags, rsp, ss;
};

struct guest_boot_params params;
volatile uint32_t interrupt_pending;

static struct idt_entry idt[256];

extern char exception_stubs[], device_interrupt[], timer_interrupt[], spurious_interrupt[];
void fault(const struct exception_frame* frame);

static void set_gate(unsigned vector, const char* handler) {
  uint64_t address = (uint64_t)handler;
  idt[vector] = (struct idt_entry){
      .offset_low = (uint16_t)address,
      .selector = CODE_SELECTOR,
      .type = INTERRUPT_GATE,
      .offset_mid = (uint16_t)(address >> 16),
      .offset_high = (uint32_t)(address >> 32),
  };
}

static void load_idt(void) {
  for (unsigned vector = 0; vector < 32; vector++) set_gate(vector, exception_stubs + 16 * vector);
  set_gate(VECTOR_DEVICE, device_interrupt);
  set_gate(VECTOR_TIMER, timer_interrupt);
  set_gate(VECTOR_SPURIOUS, spurious_interrupt);
  struct idt_pointer pointer = {sizeof(idt) - 1, (uint64_t)idt};
  __asm__ volatile("lidt %0" : : "m"(pointer));
}

static void mask_legacy_pic(void) {
  outb(0x21, 0xff);
  outb(0xa1, 0xff);
}

static void enable_lapic(void) {
  mmio_write32(LAPIC + LAPIC_LVT_LINT0, LVT_MASKED);
  mmio_write32(LAPIC + LAPIC_TPR, 0);
  mmio_write32(LAPIC + LAPIC_SVR, 0x100u | VECTOR_SPURIOUS);
  mmio_write32(LAPIC + LAPIC_TIMER_DIVIDE, TIMER_DIVIDE_BY_1);
  mmio_write32(LAPIC + LAPIC_LVT_TIMER, VECTOR_TIMER);  // one shot
}

static void ioapic_write(uint32_t index, uint32_t value) {
  mmio_write32(IOAPIC, index);
  mmio_write32(IOAPIC + IOAPIC_WINDOW, value);
}

static void route_device_interrupt(void) {
  uint32_t lapic_id = mmio_read32(LAPIC + LAPIC_ID) >> 24;
  uint32_t entry = IOAPIC_REDIRECTION + 2 * params.virtio_gsi;
  ioapic_write(entry + 1, lapic_id << 24);
  ioapic_write(entry, VECTOR_DEVICE);  // fixed, physical, active high, edge, not masked
}

void platform_init(void) {
  load_idt();
  mask_legacy_pic();
  enable_lapic();
  route_device_interrupt();
  __asm__ volatile("sti");
}

uint64_t deadline_after_us(uint64_t us) { return rdtsc() + us * params.tsc_khz / 1000; }

void wait_for_interrupt(uint64_t deadline) {
  if (deadline != NEVER) {
    uint64_t now = rdtsc();
    if (now >= deadline) return;
    uint64_t ns = (deadline - now) * 1000 / params.tsc_khz * 1000 + 1000;
    if (ns > LONGEST_SHOT_NS) ns = LONGEST_SHOT_NS;
    mmio_write32(LAPIC + LAPIC_TIMER_INITIAL, (uint32_t)ns);
  }
  __asm__ volatile("cli");
  if (interrupt_pending) {
    __asm__ volatile("sti");
    return;
  }
  __asm__ volatile("sti; hlt" : : : "memory");
}

_Noreturn void guest_exit(enum guest_exit code) {
  for (;;) {
    outb(GUEST_EXIT_PORT, (uint8_t)code);
    __asm__ volatile("cli; hlt");
  }
}

// Aligned so that a line never crosses a page.
static struct guest_line line __attribute__((aligned(256)));

static void put(char character) {
  if (line.length < sizeof(line.text) - 1) line.text[line.length++] = character;
}

void print(const char* text) {
  while (*text) put(*text++);
}

static void print_in_base(uint64_t value, uint32_t base) {
  char digits[20];
  unsigned count = 0;
  do {
    digits[count++] = "0123456789abcdef"[value % base];
    value /= base;
  } while (value);
  while (count) put(digits[--count]);
}

void print_number(uint64_t value) { print_in_base(value, 10); }

void print_hex(uint64_t value) {
  print("0x");
  print_in_base(value, 16);
}

void end_line(void) {
  line.text[line.length++] = '\n';
  if (params.flags & GUEST_LINE_CONSOLE) {
    outl(GUEST_LINE_PORT, (uint32_t)(uint64_t)&line);
  } else {
    const char* from = line.text;
    uint64_t count = line.length;
    __asm__ volatile("rep outsb"
                     : "+S"(from), "+c"(count)
                     : "d"((uint16_t)GUEST_CONSOLE_PORT)
                     : "memory");
  }
  line.length = 0;
}

void print_line(const char* text) {
  print(text);
  end_line();
}

void print_count(const char* text, uint64_t value, const char* unit) {
  print(text);
  put(' ');
  print_number(value);
  put(' ');
  print_line(unit);
}

void fault(const struct exception_frame* frame) {
  uint64_t cr2;
  __asm__ volatile("mov %%cr2, %0" : "=r"(cr2));
  line.length = 0;
  print("micro-guest: fault vector=");
  print_number(frame->vector);
  print(" error=");
  print_hex(frame->error);
  print(" rip=");
  print_hex(frame->rip);
  print(" cr2=");
  print_hex(cr2);
  end_line();
  guest_exit(GUEST_EXIT_FAULT);
}

// The compiler may call these even in a freestanding program.
void* memcpy(void* to, const void* from, uint64_t bytes) {
  void* start = to;
  __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(bytes) : : "memory");
  return start;
}

void* memset(void* to, int value, uint64_t bytes) {
  void* start = to;
  __asm__ volatile("rep stosb" : "+D"(to), "+c"(bytes) : "a"(value) : "memory");
  return start;
}
