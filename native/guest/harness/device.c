#define _GNU_SOURCE
#include "device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define QUEUE_MAX 128u
#define FEATURES (1ull << 32 | 7)
#define MAX_CHAIN_FRAMES 65536u

struct device device;

static void interrupt(uint32_t bits) {
  device.interrupt_status |= bits;
  device.pulse_interrupt();
}

static void* guest_memory(uint64_t address, uint64_t bytes) {
  if (address > device.ram_bytes || bytes > device.ram_bytes - address) return NULL;
  return device.ram + address;
}

static uint64_t queue_address(const struct device_queue* queue, int part) {
  return queue->address[2 * part] | (uint64_t)queue->address[2 * part + 1] << 32;
}

static void needs_reset(void) {
  if (device.status & 0x40) return;
  device.status |= 0x40;
  device.reset_requests++;
  interrupt(2);
}

struct descriptor {
  uint64_t address;
  uint32_t length;
  uint16_t flags, next;
};

// Collects the page frames of a chain; false if the chain is malformed.
static bool read_chain(const struct device_queue* queue, uint16_t head, uint32_t* frames,
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
  device.frames += count;
  for (uint32_t i = 0; i < count;) {
    uint32_t start = frames[i], end = start + 1;
    if (start >= device.ram_bytes >> 12) {
      device.bad_frames += count - i;
      return;
    }
    for (i++; i < count && frames[i] <= end && frames[i] < device.ram_bytes >> 12; i++) {
      if (frames[i] == end) {
        end++;
      } else {
        device.duplicate_frames++;
      }
    }
    device.discards++;
    if (device.no_discard) continue;
    if (madvise(device.ram + ((uint64_t)start << 12), (uint64_t)(end - start) << 12, MADV_REMOVE) !=
        0) {
      perror("harness: MADV_REMOVE");
      abort();
    }
  }
}

static void put_used(struct device_queue* queue, uint16_t head) {
  uint8_t* used = guest_memory(queue_address(queue, 2), 6 + 8ull * queue->size);
  uint16_t index;
  memcpy(&index, used + 2, 2);
  uint32_t entry[2] = {head, 0};
  memcpy(used + 4 + 8 * (index & (queue->size - 1)), entry, 8);
  __atomic_store_n((uint16_t*)(used + 2), (uint16_t)(index + 1), __ATOMIC_RELEASE);
}

// Keeps one buffer; true if that sent another one back.
static bool hold_statistics(struct device_queue* queue, uint16_t head) {
  bool sent_back = device.statistics_held;
  if (sent_back) put_used(queue, device.statistics_head);
  device.statistics_held = true;
  device.statistics_head = head;
  device.statistics++;
  const struct descriptor* table = guest_memory(queue_address(queue, 0), 16ull * queue->size);
  const uint8_t* data = guest_memory(table[head].address, table[head].length);
  for (uint32_t i = 0; data && i + 10 <= table[head].length && i < 2560; i += 10) {
    if (data[i] == 4 && data[i + 1] == 0) memcpy(&device.free_bytes, data + i + 2, 8);
  }
  return sent_back;
}

static void drain(uint32_t index) {
  static uint32_t frames[MAX_CHAIN_FRAMES];
  struct device_queue* queue = &device.queues[index];
  if (!(device.status & 4) || (device.status & 0xc0) || !queue->ready || device.silent) return;
  if (device.break_at && device.notifies == device.break_at) {
    device.break_at = 0;
    needs_reset();
    return;
  }
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
      device.bad_heads++;
      continue;
    }
    if (index == 2) {
      used |= hold_statistics(queue, head);
      continue;
    }
    uint32_t count = 0;
    if (!read_chain(queue, head, frames, &count)) {
      device.bad_chains++;
    } else if (index == 0) {
      discard(frames, count);
    }
    put_used(queue, head);
    used = true;
  }
  if (used) interrupt(1);
}

void device_notify(uint32_t queue) {
  device.notifies++;
  if (queue < DEVICE_QUEUES) drain(queue);
}

static void activate(void) {
  bool any = false;
  for (uint32_t i = 0; i < DEVICE_QUEUES; i++) {
    struct device_queue* queue = &device.queues[i];
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
  for (uint32_t i = 0; i < DEVICE_QUEUES; i++) drain(i);
}

static void write_status(uint32_t value) {
  if (value == 0) {
    struct device fresh = device;
    fresh.status = fresh.interrupt_status = fresh.actual = 0;
    fresh.driver_features = 0;
    fresh.statistics_held = false;
    fresh.resets++;
    memset(fresh.queues, 0, sizeof(fresh.queues));
    device = fresh;
    return;
  }
  bool legal = value == 1 || (value == 3 && device.status == 1) ||
               (value == 11 && device.status == 3) || (value == 15 && device.status == 11) ||
               (value & 0x80);
  if (!legal || (value == 11 && !(device.driver_features >> 32 & 1))) {
    device.ignored_writes++;
    return;
  }
  device.status |= value;
  if (value == 15) activate();
}

static void write_queue(uint32_t offset, uint32_t value) {
  if (device.queue_select >= DEVICE_QUEUES || !(device.status & 8) || (device.status & 0x84)) {
    device.ignored_writes++;
    return;
  }
  struct device_queue* queue = &device.queues[device.queue_select];
  if (offset == 0x38) queue->size = value;
  if (offset == 0x44) queue->ready = value & 1;
  for (uint32_t part = 0; part < 3; part++) {
    uint32_t base = 0x80 + 0x10 * part;
    if (offset == base || offset == base + 4)
      queue->address[2 * part + (offset - base) / 4] = value;
  }
}

void device_write(uint32_t offset, uint32_t length, uint32_t value) {
  if (length != 4 || (offset > 0x100 && offset != 0x104) || offset == 0x100) {
    device.ignored_writes++;
    return;
  }
  uint32_t shift = device.driver_features_select ? 32 : 0;
  switch (offset) {
    case 0x14: device.device_features_select = value; return;
    case 0x20:
      if (device.status != 3 || device.driver_features_select > 1) return;
      device.driver_features &= ~(0xffffffffull << shift);
      device.driver_features |= ((uint64_t)value << shift) & FEATURES;
      return;
    case 0x24: device.driver_features_select = value; return;
    case 0x30: device.queue_select = value; return;
    case 0x50: device_notify(value); return;
    case 0x64: device.interrupt_status &= ~value; return;
    case 0x70: write_status(value); return;
    case 0x104: device.actual = value; return;
    default: write_queue(offset, value);
  }
}

uint32_t device_read(uint32_t offset) {
  bool queue = device.queue_select < DEVICE_QUEUES;
  switch (offset) {
    case 0x00: return 0x74726976;
    case 0x04: return 2;
    case 0x08: return 5;
    case 0x10:
      if (device.device_features_select > 1) return 0;
      return (uint32_t)(FEATURES >> (32 * device.device_features_select));
    case 0x34: return queue ? QUEUE_MAX : 0;
    case 0x44: return queue ? device.queues[device.queue_select].ready : 0;
    case 0x60: return device.interrupt_status;
    case 0x70: return device.status;
    case 0xfc: return device.generation;
    case 0x100: return device.num_pages;
    case 0x104: return device.actual;
    default: return 0;
  }
}

void device_set_target(uint32_t pages) {
  device.num_pages = pages;
  device.generation++;
  interrupt(2);
}

void device_ask_for_statistics(void) {
  if (!device.statistics_held) return;
  device.statistics_held = false;
  put_used(&device.queues[2], device.statistics_head);
  interrupt(1);
}
