// Developer tool: runs the micro guest on /dev/kvm with a small synchronous balloon device.
//   harness micro-guest.bin [normal|shuffle|hostile]
// Exits 0 if the guest did what it should. It shares no code with the real device on purpose.
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "guest_abi.h"

#define MIB (1024ul * 1024)
#define RAM_BYTES (192 * MIB)
#define TOUCH_BYTES (96 * MIB)
#define BALLOON_PAGES 16384u  // 64 MiB
#define DEVICE_BASE 0xd0000000ull
#define DEVICE_BYTES 0x1000u
#define GSI 5
#define QUEUES 3
#define QUEUE_MAX 128u
#define FEATURES (1ull << 32 | 7)
#define MAX_CHAIN_FRAMES 65536u

struct queue {
  uint32_t size, ready, address[6];
  uint16_t next_available;
  uint64_t notifies;
};
static struct device {
  uint32_t status, interrupt_status, generation, num_pages, actual, queue_select;
  uint32_t device_features_select, driver_features_select;
  uint64_t driver_features;
  struct queue queues[QUEUES];
  bool stats_held;
  uint16_t stats_head;
  uint64_t frames, bad_frames, duplicate_frames, bad_chains, bad_heads, discard_calls, stats_count;
  uint64_t free_bytes, resets, needs_resets, ignored_writes;
} dev;

static struct { uint64_t io, console_lines, mmio_read, mmio_write, notify, other; } exits;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int kvm, vm, vcpu, memory_fd;
static uint8_t* ram;
static struct kvm_run* run;
static bool finished, hostile_done;
static int exit_code = -1;
static char last_line[512];
static uint64_t touched_at, ready_at, freed_at;

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

static void interrupt(uint32_t bits) {
  dev.interrupt_status |= bits;
  for (int level = 1; level >= 0; level--) {
    struct kvm_irq_level line = {.irq = GSI, .level = (uint32_t)level};
    call(vm, KVM_IRQ_LINE, &line, "KVM_IRQ_LINE");
  }
}

static void* guest_memory(uint64_t address, uint64_t bytes) {
  if (address > RAM_BYTES || bytes > RAM_BYTES - address) return NULL;
  return ram + address;
}

static uint64_t queue_address(const struct queue* queue, int part) {
  return queue->address[2 * part] | (uint64_t)queue->address[2 * part + 1] << 32;
}

static void needs_reset(void) {
  if (dev.status & 0x40) return;
  dev.status |= 0x40;
  dev.needs_resets++;
  interrupt(2);
}

struct descriptor {
  uint64_t address;
  uint32_t length;
  uint16_t flags, next;
};

// Collects the page frames of a chain; false if the chain is malformed.
static bool read_chain(const struct queue* queue, uint16_t head, uint32_t* frames,
                       uint32_t* count) {
  const struct descriptor* table = guest_memory(queue_address(queue, 0), 16ull * queue->size);
  for (uint32_t steps = 0, index = head;; steps++) {
    if (steps >= queue->size || index >= queue->size) return false;
    struct descriptor entry = table[index];
    const uint8_t* data = guest_memory(entry.address, entry.length);
    if (data == NULL || (entry.flags & 4)) return false;
    if (!(entry.flags & 2)) {
      for (uint32_t i = 0; i + 4 <= entry.length && *count < MAX_CHAIN_FRAMES; i += 4) {
        memcpy(&frames[(*count)++], data + i, 4);
      }
    }
    if (!(entry.flags & 1)) return true;
    index = entry.next;
  }
}

static int compare_frames(const void* left, const void* right) {
  uint32_t a = *(const uint32_t*)left, b = *(const uint32_t*)right;
  return a < b ? -1 : a > b;
}

static void discard(uint32_t* frames, uint32_t count) {
  qsort(frames, count, sizeof(*frames), compare_frames);
  dev.frames += count;
  for (uint32_t i = 0; i < count;) {
    uint32_t start = frames[i], end = start + 1;
    if (start >= RAM_BYTES >> 12) {
      dev.bad_frames += count - i;
      return;
    }
    for (i++; i < count && frames[i] <= end && frames[i] < RAM_BYTES >> 12; i++) {
      if (frames[i] == end) {
        end++;
      } else {
        dev.duplicate_frames++;
      }
    }
    dev.discard_calls++;
    if (madvise(ram + ((uint64_t)start << 12), (uint64_t)(end - start) << 12, MADV_REMOVE) != 0) {
      die("MADV_REMOVE failed: %m");
    }
  }
}

static void put_used(struct queue* queue, uint16_t head) {
  uint8_t* used = guest_memory(queue_address(queue, 2), 6 + 8ull * queue->size);
  uint16_t index;
  memcpy(&index, used + 2, 2);
  uint32_t entry[2] = {head, 0};
  memcpy(used + 4 + 8 * (index & (queue->size - 1)), entry, 8);
  __atomic_store_n((uint16_t*)(used + 2), (uint16_t)(index + 1), __ATOMIC_RELEASE);
}

static void hold_statistics(struct queue* queue, uint16_t head) {
  if (dev.stats_held) put_used(queue, dev.stats_head);
  dev.stats_held = true;
  dev.stats_head = head;
  dev.stats_count++;
  const struct descriptor* table = guest_memory(queue_address(queue, 0), 16ull * queue->size);
  const uint8_t* data = guest_memory(table[head].address, table[head].length);
  for (uint32_t i = 0; data && i + 10 <= table[head].length && i < 2560; i += 10) {
    if (data[i] == 4 && data[i + 1] == 0) memcpy(&dev.free_bytes, data + i + 2, 8);
  }
}

static void drain(uint32_t index) {
  static uint32_t frames[MAX_CHAIN_FRAMES];
  struct queue* queue = &dev.queues[index];
  if (!(dev.status & 4) || (dev.status & 0xc0) || !queue->ready) return;
  const uint8_t* available = guest_memory(queue_address(queue, 1), 6 + 2ull * queue->size);
  uint16_t end = __atomic_load_n((const uint16_t*)(available + 2), __ATOMIC_ACQUIRE);
  if ((uint16_t)(end - queue->next_available) > queue->size) {
    needs_reset();
    return;
  }
  bool used = false;
  for (; queue->next_available != end; queue->next_available++) {
    uint16_t head;
    memcpy(&head, available + 4 + 2 * (queue->next_available & (queue->size - 1)), 2);
    if (head >= queue->size) {
      dev.bad_heads++;
      continue;
    }
    used = true;
    if (index == 2) {
      hold_statistics(queue, head);
      continue;
    }
    uint32_t count = 0;
    if (!read_chain(queue, head, frames, &count)) {
      dev.bad_chains++;
    } else if (index == 0) {
      discard(frames, count);
    }
    put_used(queue, head);
  }
  if (used && index != 2) interrupt(1);
}

static void activate(void) {
  bool any = false;
  for (uint32_t i = 0; i < QUEUES; i++) {
    struct queue* queue = &dev.queues[i];
    if (!queue->ready) continue;
    any = true;
    static const uint64_t align[3] = {15, 1, 3};
    uint64_t bytes[3] = {16ull * queue->size, 6 + 2ull * queue->size, 6 + 8ull * queue->size};
    bool good = queue->size && !(queue->size & (queue->size - 1)) && queue->size <= QUEUE_MAX;
    for (int part = 0; part < 3; part++) {
      uint64_t address = queue_address(queue, part);
      good = good && !(address & align[part]) && guest_memory(address, bytes[part]);
    }
    if (!good) return needs_reset();
  }
  if (!any) return needs_reset();
  for (uint32_t i = 0; i < QUEUES; i++) drain(i);
}

static void write_status(uint32_t value) {
  if (value == 0) {
    struct device fresh = dev;
    fresh.status = fresh.interrupt_status = fresh.actual = 0;
    fresh.driver_features = 0;
    fresh.stats_held = false;
    fresh.resets++;
    memset(fresh.queues, 0, sizeof(fresh.queues));
    for (int i = 0; i < QUEUES; i++) fresh.queues[i].notifies = dev.queues[i].notifies;
    dev = fresh;
    return;
  }
  bool legal = value == 1 || (value == 3 && dev.status == 1) || (value == 11 && dev.status == 3) ||
               (value == 15 && dev.status == 11) || (value & 0x80);
  if (!legal || (value == 11 && !(dev.driver_features >> 32 & 1))) {
    dev.ignored_writes++;
    return;
  }
  dev.status |= value;
  if (value == 15) activate();
}

static void write_queue(uint32_t offset, uint32_t value) {
  if (dev.queue_select >= QUEUES || !(dev.status & 8) || (dev.status & 0x84)) {
    dev.ignored_writes++;
    return;
  }
  struct queue* queue = &dev.queues[dev.queue_select];
  if (offset == 0x38) queue->size = value;
  if (offset == 0x44) queue->ready = value & 1;
  for (uint32_t part = 0; part < 3; part++) {
    uint32_t base = 0x80 + 0x10 * part;
    if (offset == base || offset == base + 4)
      queue->address[2 * part + (offset - base) / 4] = value;
  }
}

static void device_write(uint32_t offset, uint32_t length, uint32_t value) {
  if (length != 4 || (offset > 0x100 && offset != 0x104) || offset == 0x100) {
    dev.ignored_writes++;
    return;
  }
  uint32_t shift = dev.driver_features_select ? 32 : 0;
  switch (offset) {
    case 0x14:
      dev.device_features_select = value;
      return;
    case 0x20:
      if (dev.status != 3 || dev.driver_features_select > 1) return;
      dev.driver_features &= ~(0xffffffffull << shift);
      dev.driver_features |= ((uint64_t)value << shift) & FEATURES;
      return;
    case 0x24:
      dev.driver_features_select = value;
      return;
    case 0x30:
      dev.queue_select = value;
      return;
    case 0x50:
      exits.notify++;
      if (value >= QUEUES) return;
      dev.queues[value].notifies++;
      drain(value);
      return;
    case 0x64:
      dev.interrupt_status &= ~value;
      return;
    case 0x70:
      write_status(value);
      return;
    case 0x104:
      dev.actual = value;
      return;
    default:
      write_queue(offset, value);
  }
}

static uint32_t device_read(uint32_t offset) {
  bool queue = dev.queue_select < QUEUES;
  switch (offset) {
    case 0x00:
      return 0x74726976;
    case 0x04:
      return 2;
    case 0x08:
      return 5;
    case 0x10:
      if (dev.device_features_select > 1) return 0;
      return (uint32_t)(FEATURES >> (32 * dev.device_features_select));
    case 0x34:
      return queue ? QUEUE_MAX : 0;
    case 0x44:
      return queue ? dev.queues[dev.queue_select].ready : 0;
    case 0x60:
      return dev.interrupt_status;
    case 0x70:
      return dev.status;
    case 0xfc:
      return dev.generation;
    case 0x100:
      return dev.num_pages;
    case 0x104:
      return dev.actual;
    default:
      return 0;
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
    exits.console_lines++;
    printf("%8.3f s  %s\n", (double)now_us() / 1e6 - (double)ready_at / 1e6, line);
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
      case KVM_EXIT_IO:
        serve_io();
        break;
      case KVM_EXIT_MMIO:
        serve_mmio();
        break;
      default:
        die("unexpected exit %u after \"%s\"", run->exit_reason, last_line);
    }
    bool end = finished;
    pthread_mutex_unlock(&lock);
    if (end) return NULL;
  }
}

static struct kvm_segment segment(uint16_t selector, uint16_t flags) {
  return (struct kvm_segment){.limit = 0xffffffff,
                              .selector = selector,
                              .type = flags & 0xf,
                              .s = flags >> 4 & 1,
                              .dpl = flags >> 5 & 3,
                              .present = flags >> 7 & 1,
                              .avl = flags >> 12 & 1,
                              .l = flags >> 13 & 1,
                              .db = flags >> 14 & 1,
                              .g = flags >> 15 & 1};
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
  kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
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
  static struct {
    struct kvm_cpuid2 head;
    struct kvm_cpuid_entry2 entries[128];
  } cpuid;
  cpuid.head.nent = 128;
  call(kvm, KVM_GET_SUPPORTED_CPUID, &cpuid, "KVM_GET_SUPPORTED_CPUID");
  call(vcpu, KVM_SET_CPUID2, &cpuid, "KVM_SET_CPUID2");
  set_registers();
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

static void set_target(uint32_t pages) {
  uint64_t before = host_mib(), calls = dev.discard_calls, start = now_us();
  uint64_t all = exits.io + exits.mmio_read + exits.mmio_write;
  pthread_mutex_lock(&lock);
  dev.num_pages = pages;
  dev.generation++;
  interrupt(2);
  pthread_mutex_unlock(&lock);
  WAIT_FOR(dev.actual == pages);
  uint64_t elapsed = now_us() - start;
  printf(
      "            -> %u pages in %.1f ms, host memory %lu -> %lu MiB, %lu discards, %lu exits\n",
      pages, (double)elapsed / 1e3, before, host_mib(), dev.discard_calls - calls,
      exits.io + exits.mmio_read + exits.mmio_write - all);
}

static void ask_for_statistics(void) {
  uint64_t seen = dev.stats_count;
  pthread_mutex_lock(&lock);
  dev.stats_held = false;
  put_used(&dev.queues[2], dev.stats_head);
  interrupt(1);
  pthread_mutex_unlock(&lock);
  WAIT_FOR(dev.stats_count > seen);
  printf("            -> statistics: %lu MiB free\n", dev.free_bytes / MIB);
}

static void normal_scenario(void) {
  WAIT_FOR(touched_at != 0);
  printf("            -> %.1f MiB/s touched, host memory %lu MiB\n",
         (double)(TOUCH_BYTES / MIB) * 1e6 / (double)(touched_at - ready_at), host_mib());
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

static void hostile_scenario(void) {
  WAIT_FOR(hostile_done);
  set_target(1024);
  set_target(0);
}

int main(int count, char** arguments) {
  if (count < 2) die("usage: harness micro-guest.bin [normal|shuffle|hostile]");
  const char* mode = count > 2 ? arguments[2] : "normal";
  setvbuf(stdout, NULL, _IOLBF, 0);
  create_vm(arguments[1]);
  bool hostile = strcmp(mode, "hostile") == 0;
  struct guest_boot_params params = {.magic = GUEST_PARAMS_MAGIC,
                                     .version = GUEST_PARAMS_VERSION,
                                     .size = sizeof(params),
                                     .ram_bytes = RAM_BYTES,
                                     .virtio_mmio_base = DEVICE_BASE,
                                     .virtio_gsi = GSI,
                                     .touch_bytes = TOUCH_BYTES,
                                     .touch_chunk_bytes = 16 * MIB,
                                     .touch_interval_us = 1000,
                                     .tsc_khz = (uint32_t)ioctl(vcpu, KVM_GET_TSC_KHZ, 0),
                                     .flags = GUEST_RETOUCH | GUEST_STATISTICS | GUEST_VERIFY,
                                     .hostile_mode = hostile ? GUEST_HOSTILE_ALL : 0,
                                     .idle_exit_us = 1000000,
                                     .shuffle_seed = 1};
  if (strcmp(mode, "shuffle") == 0) params.flags |= GUEST_SHUFFLE;
  memcpy(ram + GUEST_PARAMS_ADDRESS, &params, sizeof(params));
  ready_at = now_us();
  pthread_t thread;
  if (pthread_create(&thread, NULL, vcpu_thread, NULL) != 0) die("no thread");
  if (hostile) {
    hostile_scenario();
  } else {
    normal_scenario();
  }
  pthread_join(thread, NULL);
  printf(
      "harness: exit code %d; exits: io %lu (%lu lines), mmio read %lu, write %lu (notify %lu)\n",
      exit_code, exits.io, exits.console_lines, exits.mmio_read, exits.mmio_write, exits.notify);
  printf(
      "harness: frames %lu (bad %lu, duplicate %lu), bad chains %lu, bad heads %lu, resets %lu "
      "(needed %lu), ignored writes %lu\n",
      dev.frames, dev.bad_frames, dev.duplicate_frames, dev.bad_chains, dev.bad_heads, dev.resets,
      dev.needs_resets, dev.ignored_writes);
  return exit_code == 0 ? 0 : 1;
}
