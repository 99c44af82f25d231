// Developer tool: runs the micro guest on /dev/kvm in one of the scenarios below and says whether
// it did what it should.   harness micro-guest.bin [SCENARIO]
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/kvm.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "device.h"
#include "guest_abi.h"

#define MIB (1024ul * 1024)
#define RAM_BYTES (192 * MIB)
#define TOUCH_BYTES (96 * MIB)
#define BALLOON_PAGES 16384u  // 64 MiB
#define DEVICE_BASE 0xd0000000ull
#define DEVICE_BYTES 0x1000u
#define GSI 5

static struct { uint64_t io, lines, mmio_read, mmio_write; } exits;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int vm, vcpu, memory_fd;
static uint8_t* ram;
static struct kvm_run* run;
static bool finished, hostile_done;
static int exit_code = -1;
static char last_line[512];
static uint64_t started_at, touched_at, freed_at;

static _Noreturn void die(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fprintf(stderr, "harness: ");
  vfprintf(stderr, format, arguments);
  fprintf(stderr, "\n");
  _exit(1);
}

static uint64_t now_us(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
}

static uint64_t host_mib(void) {
  struct stat status;
  fstat(memory_fd, &status);
  return (uint64_t)status.st_blocks * 512 / MIB;
}

static void call(int fd, unsigned long request, void* argument, const char* what) {
  if (ioctl(fd, request, argument) < 0) die("%s failed: %m", what);
}

static void pulse_interrupt(void) {
  for (int level = 1; level >= 0; level--) {
    struct kvm_irq_level line = {.irq = GSI, .level = (uint32_t)level};
    call(vm, KVM_IRQ_LINE, &line, "KVM_IRQ_LINE");
  }
}

static void serve_mmio(void) {
  uint64_t address = run->mmio.phys_addr;
  bool ours = address >= DEVICE_BASE && address < DEVICE_BASE + DEVICE_BYTES;
  uint32_t value = 0;
  if (run->mmio.is_write) {
    exits.mmio_write++;
    memcpy(&value, run->mmio.data, run->mmio.len < 4 ? run->mmio.len : 4);
    if (ours) device_write((uint32_t)(address - DEVICE_BASE), run->mmio.len, value);
    return;
  }
  exits.mmio_read++;
  memset(run->mmio.data, 0xff, sizeof(run->mmio.data));
  if (ours) value = device_read((uint32_t)(address - DEVICE_BASE));
  memcpy(run->mmio.data, &value, 4);
}

static void console(const char* text, uint64_t length) {
  static char line[512];
  static size_t used;
  for (uint64_t i = 0; i < length; i++) {
    if (text[i] != '\n') {
      if (used < sizeof(line) - 1) line[used++] = text[i];
      continue;
    }
    line[used] = 0;
    used = 0;
    exits.lines++;
    printf("%8.3f s  %s\n", (double)now_us() / 1e6 - (double)started_at / 1e6, line);
    strcpy(last_line, line);
    if (strstr(line, "micro-guest: touched")) touched_at = now_us();
    if (strstr(line, "micro-guest: freed")) freed_at = now_us();
    if (strstr(line, "hostile: done")) hostile_done = true;
  }
}

static void serve_io(void) {
  exits.io++;
  uint8_t* data = (uint8_t*)run + run->io.data_offset;
  if (run->io.direction == KVM_EXIT_IO_IN) {
    memset(data, 0xff, (size_t)run->io.size * run->io.count);
  } else if (run->io.port == GUEST_CONSOLE_PORT) {
    console((const char*)data, (uint64_t)run->io.size * run->io.count);
  } else if (run->io.port == GUEST_LINE_PORT) {
    uint32_t address = *(uint32_t*)data;
    if (address > RAM_BYTES - sizeof(struct guest_line)) die("line at %#x", address);
    const struct guest_line* line = (const struct guest_line*)(ram + address);
    console(line->text, line->length < sizeof(line->text) ? line->length : sizeof(line->text));
  } else if (run->io.port == GUEST_EXIT_PORT) {
    exit_code = data[0];
    finished = true;
  }
}

static void* vcpu_thread(void* unused) {
  (void)unused;
  for (;;) {
    if (ioctl(vcpu, KVM_RUN, 0) < 0) die("KVM_RUN failed: %m");
    pthread_mutex_lock(&lock);
    switch (run->exit_reason) {
      case KVM_EXIT_IO: serve_io(); break;
      case KVM_EXIT_MMIO: serve_mmio(); break;
      default: die("unexpected exit %u after \"%s\"", run->exit_reason, last_line);
    }
    bool end = finished;
    pthread_mutex_unlock(&lock);
    if (end) return NULL;
  }
}

static struct kvm_segment segment(uint16_t selector, uint16_t flags) {
  return (struct kvm_segment){
      .limit = 0xffffffff,
      .selector = selector,
      .type = flags & 0xf,
      .s = 1,
      .present = 1,
      .l = flags >> 13 & 1,
      .db = flags >> 14 & 1,
      .g = 1,
  };
}

static void set_registers(void) {
  static const uint64_t gdt[4] = {0, 0xaf9b000000ffffull, 0xcf93000000ffffull, 0x8f8b000000ffffull};
  memcpy(ram + GUEST_GDT_ADDRESS, gdt, sizeof(gdt));
  uint64_t* pml4 = (uint64_t*)(ram + GUEST_PML4_ADDRESS);
  uint64_t* pdpt = (uint64_t*)(ram + GUEST_PDPT_ADDRESS);
  uint64_t* directories = (uint64_t*)(ram + GUEST_PD_ADDRESS);
  pml4[0] = GUEST_PDPT_ADDRESS | 3;
  for (uint64_t i = 0; i < 4; i++) pdpt[i] = (GUEST_PD_ADDRESS + 0x1000 * i) | 3;
  for (uint64_t i = 0; i < 2048; i++) directories[i] = i << 21 | 0x83;
  struct kvm_sregs sregs;
  call(vcpu, KVM_GET_SREGS, &sregs, "KVM_GET_SREGS");
  sregs.cs = segment(0x08, 0xa09b);
  sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = segment(0x10, 0xc093);
  sregs.tr = segment(0x18, 0x808b);
  sregs.tr.s = 0;
  sregs.gdt = (struct kvm_dtable){.base = GUEST_GDT_ADDRESS, .limit = sizeof(gdt) - 1};
  sregs.cr0 = 0x80000001;
  sregs.cr3 = GUEST_PML4_ADDRESS;
  sregs.cr4 = 0x20;
  sregs.efer = 0x500;
  call(vcpu, KVM_SET_SREGS, &sregs, "KVM_SET_SREGS");
  struct kvm_regs regs = {.rip = GUEST_IMAGE_ADDRESS,
                          .rsi = GUEST_PARAMS_ADDRESS,
                          .rsp = GUEST_BOOT_STACK,
                          .rbp = GUEST_BOOT_STACK,
                          .rflags = 2};
  call(vcpu, KVM_SET_REGS, &regs, "KVM_SET_REGS");
}

static void create_vm(const char* image) {
  int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
  if (kvm < 0) die("/dev/kvm: %m");
  vm = ioctl(kvm, KVM_CREATE_VM, 0);
  if (vm < 0) die("KVM_CREATE_VM: %m");
  call(vm, KVM_SET_TSS_ADDR, (void*)0xfffbd000ul, "KVM_SET_TSS_ADDR");
  call(vm, KVM_CREATE_IRQCHIP, 0, "KVM_CREATE_IRQCHIP");
  struct kvm_pit_config pit = {.flags = KVM_PIT_SPEAKER_DUMMY};
  call(vm, KVM_CREATE_PIT2, &pit, "KVM_CREATE_PIT2");
  memory_fd = memfd_create("guest", MFD_CLOEXEC);
  if (memory_fd < 0 || ftruncate(memory_fd, RAM_BYTES) != 0) die("memfd: %m");
  ram = mmap(NULL, RAM_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, memory_fd, 0);
  if (ram == MAP_FAILED) die("mmap: %m");
  struct kvm_userspace_memory_region region = {.memory_size = RAM_BYTES,
                                               .userspace_addr = (uint64_t)ram};
  call(vm, KVM_SET_USER_MEMORY_REGION, &region, "KVM_SET_USER_MEMORY_REGION");
  int file = open(image, O_RDONLY | O_CLOEXEC);
  if (file < 0 || read(file, ram + GUEST_IMAGE_ADDRESS, 65536) <= 0) die("%s: %m", image);
  close(file);
  vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
  if (vcpu < 0) die("KVM_CREATE_VCPU: %m");
  run = mmap(NULL, (size_t)ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), PROT_READ | PROT_WRITE,
             MAP_SHARED, vcpu, 0);
  struct kvm_cpuid2* cpuid = calloc(1, sizeof(*cpuid) + 128 * sizeof(cpuid->entries[0]));
  cpuid->nent = 128;
  call(kvm, KVM_GET_SUPPORTED_CPUID, cpuid, "KVM_GET_SUPPORTED_CPUID");
  call(vcpu, KVM_SET_CPUID2, cpuid, "KVM_SET_CPUID2");
  free(cpuid);
  set_registers();
}

// Serves notifications apart from the vCPU, as a device in a process of its own does.
static void* notify_thread(void* unused) {
  (void)unused;
  struct pollfd events[DEVICE_QUEUES];
  for (uint32_t queue = 0; queue < DEVICE_QUEUES; queue++) {
    events[queue] = (struct pollfd){.fd = eventfd(0, EFD_CLOEXEC), .events = POLLIN};
    struct kvm_ioeventfd notify = {.datamatch = queue,
                                   .addr = DEVICE_BASE + 0x50,
                                   .len = 4,
                                   .fd = events[queue].fd,
                                   .flags = KVM_IOEVENTFD_FLAG_DATAMATCH};
    call(vm, KVM_IOEVENTFD, &notify, "KVM_IOEVENTFD");
  }
  while (poll(events, DEVICE_QUEUES, -1) > 0) {
    for (uint32_t queue = 0; queue < DEVICE_QUEUES; queue++) {
      eventfd_t value;
      if (!(events[queue].revents & POLLIN)) continue;
      if (eventfd_read(events[queue].fd, &value) != 0) die("eventfd: %m");
      pthread_mutex_lock(&lock);
      device_notify(queue);
      pthread_mutex_unlock(&lock);
    }
  }
  return NULL;
}

// Waits for a condition that the vCPU thread brings about; dies after 60 s.
#define WAIT_FOR(condition)                                                                     \
  for (uint64_t limit = now_us() + 60000000;;) {                                                \
    pthread_mutex_lock(&lock);                                                                  \
    bool holds = (condition);                                                                   \
    pthread_mutex_unlock(&lock);                                                                \
    if (holds) break;                                                                           \
    if (finished || now_us() > limit) die("gave up on " #condition " after \"%s\"", last_line); \
    usleep(1000);                                                                               \
  }

static void start_target(uint32_t pages) {
  pthread_mutex_lock(&lock);
  device_set_target(pages);
  pthread_mutex_unlock(&lock);
}

static void set_target(uint32_t pages) {
  uint64_t memory = host_mib(), discards = device.discards, start = now_us();
  uint64_t before = exits.io + exits.mmio_read + exits.mmio_write;
  start_target(pages);
  WAIT_FOR(device.actual == pages);
  double elapsed = (double)(now_us() - start) / 1e3;
  uint64_t after = exits.io + exits.mmio_read + exits.mmio_write;
  printf("            -> %u pages in %.1f ms, host memory %lu -> %lu MiB, ", pages, elapsed, memory,
         host_mib());
  printf("%lu discards, %lu exits\n", device.discards - discards, after - before);
}

static void ask_for_statistics(void) {
  uint64_t seen = device.statistics;
  pthread_mutex_lock(&lock);
  device_ask_for_statistics();
  pthread_mutex_unlock(&lock);
  WAIT_FOR(device.statistics > seen);
  printf("            -> statistics: %lu MiB free\n", device.free_bytes / MIB);
}

static void touch_then_balloon(void) {
  WAIT_FOR(touched_at != 0);
  printf("            -> %.1f MiB/s touched, host memory %lu MiB\n",
         (double)(TOUCH_BYTES / MIB) * 1e6 / (double)(touched_at - started_at), host_mib());
  WAIT_FOR(freed_at != 0);
  ask_for_statistics();
  uint64_t full = host_mib();
  for (int round = 0; round < 2; round++) {
    set_target(BALLOON_PAGES);
    if (host_mib() + 60 > full) die("host memory did not fall: %lu of %lu MiB", host_mib(), full);
    ask_for_statistics();
    if (round == 0) set_target(0);
  }
}

// The target moves while the workload is writing.
static void balloon_while_touching(void) {
  WAIT_FOR(host_mib() > 8);
  set_target(BALLOON_PAGES);
  set_target(BALLOON_PAGES / 2);
  if (touched_at) die("the workload was over before the balloon moved");
  WAIT_FOR(freed_at != 0);
  set_target(0);
}

// The balloon takes nearly all free memory; the workload takes some of it back.
static void balloon_against_workload(void) {
  WAIT_FOR(host_mib() > 8);
  start_target(32768);
  WAIT_FOR(freed_at != 0);
  if (device.actual >= 32768) die("the guest took nothing back");
  printf("            -> the guest kept %u pages in the balloon\n", device.actual);
  set_target(0);
}

static void balloon_for_nothing(void) {
  WAIT_FOR(freed_at != 0);
  start_target(1024);
  WAIT_FOR(device.actual == 1024 || finished);
  start_target(0);
}

static void balloon_after_hostility(void) {
  WAIT_FOR(hostile_done);
  set_target(1024);
  set_target(0);
}

// For guests that end by themselves.
static void only_wait(void) {}

#define SLOWLY 1u   // pause 20 ms after each MiB of the workload
#define MISUSE 2u   // boot parameters with a wrong magic number
#define NOWHERE 4u  // a device address with nothing behind it
#define MUTE 8u     // the device never answers
#define LAZY 16u    // the device never discards
#define HOSTILE 32u
#define BREAKS 64u  // the device asks for a reset in the middle of the first inflation

#define APART 128u  // notifications by ioeventfd, served by a thread

static const struct scenario {
  const char* name;
  void (*play)(void);
  uint32_t guest_flags, quirks;
  enum guest_exit expected;
} scenarios[] = {
    {"normal", touch_then_balloon, GUEST_LINE_CONSOLE, 0, GUEST_EXIT_DONE},
    {"shuffle", touch_then_balloon, GUEST_SHUFFLE, 0, GUEST_EXIT_DONE},
    {"busy", balloon_while_touching, GUEST_LINE_CONSOLE, SLOWLY, GUEST_EXIT_DONE},
    {"pressure", balloon_against_workload, GUEST_LINE_CONSOLE, SLOWLY, GUEST_EXIT_DONE},
    {"hostile", balloon_after_hostility, GUEST_LINE_CONSOLE, HOSTILE, GUEST_EXIT_DONE},
    {"apart", touch_then_balloon, GUEST_LINE_CONSOLE, APART, GUEST_EXIT_DONE},
    {"hostile-apart", balloon_after_hostility, GUEST_LINE_CONSOLE, APART | HOSTILE,
     GUEST_EXIT_DONE},
    {"broken-device", touch_then_balloon, GUEST_LINE_CONSOLE, BREAKS, GUEST_EXIT_DONE},
    {"lazy-device", balloon_for_nothing, 0, LAZY, GUEST_EXIT_BAD_MEMORY},
    {"mute-device", balloon_for_nothing, 0, MUTE, GUEST_EXIT_TIMEOUT},
    {"no-device", only_wait, 0, NOWHERE, GUEST_EXIT_NO_DEVICE},
    {"bad-params", only_wait, 0, MISUSE, GUEST_EXIT_BAD_PARAMS},
};

static const struct scenario* find_scenario(const char* name) {
  for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
    if (strcmp(scenarios[i].name, name) == 0) return &scenarios[i];
  }
  fprintf(stderr, "harness: scenarios:");
  for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
    fprintf(stderr, " %s", scenarios[i].name);
  }
  die("no scenario %s", name);
}

static void write_params(const struct scenario* scenario) {
  struct guest_boot_params params = {
      .magic = scenario->quirks & MISUSE ? 0 : GUEST_PARAMS_MAGIC,
      .version = GUEST_PARAMS_VERSION,
      .size = sizeof(params),
      .ram_bytes = RAM_BYTES,
      .virtio_mmio_base = DEVICE_BASE + (scenario->quirks & NOWHERE ? DEVICE_BYTES : 0),
      .virtio_gsi = GSI,
      .touch_bytes = TOUCH_BYTES,
      .touch_chunk_bytes = scenario->quirks & SLOWLY ? MIB : 16 * MIB,
      .touch_interval_us = scenario->quirks & SLOWLY ? 20000 : 1000,
      .tsc_khz = (uint32_t)ioctl(vcpu, KVM_GET_TSC_KHZ, 0),
      .flags = GUEST_RETOUCH | GUEST_STATISTICS | GUEST_VERIFY | scenario->guest_flags,
      .hostile_mode = scenario->quirks & HOSTILE ? GUEST_HOSTILE_ALL : 0,
      .shuffle_seed = 1,
      .wait_timeout_us = 500000,
      .idle_exit_us = 500000,
  };
  memcpy(ram + GUEST_PARAMS_ADDRESS, &params, sizeof(params));
}

int main(int count, char** arguments) {
  if (count < 2) die("usage: harness micro-guest.bin [SCENARIO]");
  const struct scenario* scenario = find_scenario(count > 2 ? arguments[2] : "normal");
  setvbuf(stdout, NULL, _IOLBF, 0);
  create_vm(arguments[1]);
  device.ram = ram;
  device.ram_bytes = RAM_BYTES;
  device.pulse_interrupt = pulse_interrupt;
  device.no_discard = scenario->quirks & LAZY;
  device.silent = scenario->quirks & MUTE;
  device.break_at = scenario->quirks & BREAKS ? 20 : 0;
  write_params(scenario);
  started_at = now_us();
  pthread_t thread;
  if (scenario->quirks & APART) pthread_create(&thread, NULL, notify_thread, NULL);
  if (pthread_create(&thread, NULL, vcpu_thread, NULL) != 0) die("no thread");
  scenario->play();
  pthread_join(thread, NULL);
  bool good = exit_code == (int)scenario->expected;
  printf("%s: %s, exit code %d\n", scenario->name, good ? "passed" : "FAILED", exit_code);
  printf("  exits: io %lu (%lu lines), mmio read %lu, mmio write %lu (notify %lu)\n", exits.io,
         exits.lines, exits.mmio_read, exits.mmio_write, device.notifies);
  printf("  frames %lu (bad %lu, duplicate %lu), bad chains %lu, bad heads %lu\n", device.frames,
         device.bad_frames, device.duplicate_frames, device.bad_chains, device.bad_heads);
  printf("  resets %lu (asked for %lu), ignored writes %lu\n", device.resets, device.reset_requests,
         device.ignored_writes);
  return good ? 0 : 1;
}
