// virtio-mmio version 2 transport and split queues, as far as a balloon driver needs them.
#ifndef HALYARD_GUEST_VIRTIO_H_
#define HALYARD_GUEST_VIRTIO_H_

#include <stdbool.h>
#include <stdint.h>

#include "platform.h"

enum virtio_register {
  REG_MAGIC = 0x000,
  REG_VERSION = 0x004,
  REG_DEVICE_ID = 0x008,
  REG_DEVICE_FEATURES = 0x010,
  REG_DEVICE_FEATURES_SELECT = 0x014,
  REG_DRIVER_FEATURES = 0x020,
  REG_DRIVER_FEATURES_SELECT = 0x024,
  REG_QUEUE_SELECT = 0x030,
  REG_QUEUE_MAX = 0x034,
  REG_QUEUE_SIZE = 0x038,
  REG_QUEUE_READY = 0x044,
  REG_QUEUE_NOTIFY = 0x050,
  REG_INTERRUPT_STATUS = 0x060,
  REG_INTERRUPT_ACK = 0x064,
  REG_STATUS = 0x070,
  REG_QUEUE_DESC = 0x080,
  REG_QUEUE_AVAIL = 0x090,
  REG_QUEUE_USED = 0x0a0,
  REG_CONFIG_GENERATION = 0x0fc,
  REG_CONFIG = 0x100,
};

enum virtio_status {
  STATUS_ACKNOWLEDGE = 1,
  STATUS_DRIVER = 2,
  STATUS_DRIVER_OK = 4,
  STATUS_FEATURES_OK = 8,
  STATUS_NEEDS_RESET = 0x40,
  STATUS_FAILED = 0x80,
};

enum virtio_interrupt { INTERRUPT_USED = 1, INTERRUPT_CONFIG = 2 };

enum descriptor_flags { DESC_NEXT = 1, DESC_WRITE = 2, DESC_INDIRECT = 4 };

#define FEATURE_MUST_TELL_HOST (1ull << 0)
#define FEATURE_STATS_VQ (1ull << 1)
#define FEATURE_DEFLATE_ON_OOM (1ull << 2)
#define FEATURE_VERSION_1 (1ull << 32)

#define QUEUE_LIMIT 256
#define QUEUE_COUNT 3
enum queue_index { QUEUE_INFLATE = 0, QUEUE_DEFLATE = 1, QUEUE_STATS = 2 };

struct descriptor {
  uint64_t address;
  uint32_t length;
  uint16_t flags, next;
};
struct available_ring {
  uint16_t flags, index;
  uint16_t ring[QUEUE_LIMIT];
};
struct used_ring {
  uint16_t flags, index;
  struct {
    uint32_t id, length;
  } ring[QUEUE_LIMIT];
};

// Each part has pages of its own: a hostile step may give one of them to the balloon.
struct queue_memory {
  struct descriptor descriptors[QUEUE_LIMIT];
  struct available_ring available __attribute__((aligned(1024)));
  struct used_ring used __attribute__((aligned(1024)));
} __attribute__((aligned(4096)));

struct virtqueue {
  uint16_t index, size;
  uint16_t next_available, last_used;
  volatile struct queue_memory* memory;
};

extern struct virtqueue virtqueues[QUEUE_COUNT];
extern uint64_t negotiated_features;
// Set by interrupt bits and cleared by whoever serves them.
extern bool config_changed;

static inline uint32_t device_read(uint32_t reg) {
  return mmio_read32(params.virtio_mmio_base + reg);
}
static inline void device_write(uint32_t reg, uint32_t value) {
  mmio_write32(params.virtio_mmio_base + reg, value);
}

// The parts of the set-up, apart so that hostile steps can do them wrong.
bool virtio_reset(void);  // false if the device did not come back to status 0 in time
uint64_t virtio_offered_features(void);
void virtio_write_features(uint64_t features);
// Clears the queue's memory; size 0 takes the device's maximum up to QUEUE_LIMIT.
bool virtqueue_prepare(uint16_t index, uint16_t size);
void virtqueue_write_addresses(uint16_t index, uint64_t desc, uint64_t avail, uint64_t used);
void virtqueue_enable(uint16_t index);

// Reset to DRIVER_OK with the features the parameters ask for; false if the device refused.
bool virtio_start(void);

void set_descriptor(struct virtqueue* queue, uint16_t index, uint64_t address, uint32_t length,
                    uint16_t flags, uint16_t next);
// Publishes one chain and notifies the device.
void virtqueue_submit(struct virtqueue* queue, uint16_t head);
static inline bool virtqueue_has_used(const struct virtqueue* queue) {
  return queue->memory->used.index != queue->last_used;
}

// Reads and acknowledges the interrupt status if an interrupt came; returns its bits.
uint32_t virtio_take_interrupt(void);

enum wait_result { WAIT_DONE, WAIT_TIMEOUT, WAIT_NEEDS_RESET };
// Waits until every chain of the queue was answered.
enum wait_result virtqueue_wait(struct virtqueue* queue, uint64_t timeout_us);

#endif  // HALYARD_GUEST_VIRTIO_H_
