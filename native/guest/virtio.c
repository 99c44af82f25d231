#include "virtio.h"

#define VIRTIO_MAGIC 0x74726976u
#define VIRTIO_VERSION 2u
#define VIRTIO_ID_BALLOON 5u
#define RESET_TIMEOUT_US 1000000u

struct virtqueue virtqueues[QUEUE_COUNT];
uint64_t negotiated_features;
bool config_changed;

static volatile struct queue_memory queue_memory[QUEUE_COUNT];

bool virtio_reset(void) {
  device_write(REG_STATUS, 0);
  uint64_t deadline = deadline_after_us(RESET_TIMEOUT_US);
  while (device_read(REG_STATUS) != 0) {
    if (rdtsc() > deadline) return false;
  }
  return true;
}

uint64_t virtio_offered_features(void) {
  device_write(REG_DEVICE_FEATURES_SELECT, 0);
  uint64_t low = device_read(REG_DEVICE_FEATURES);
  device_write(REG_DEVICE_FEATURES_SELECT, 1);
  return low | (uint64_t)device_read(REG_DEVICE_FEATURES) << 32;
}

void virtio_write_features(uint64_t features) {
  device_write(REG_DRIVER_FEATURES_SELECT, 0);
  device_write(REG_DRIVER_FEATURES, (uint32_t)features);
  device_write(REG_DRIVER_FEATURES_SELECT, 1);
  device_write(REG_DRIVER_FEATURES, (uint32_t)(features >> 32));
}

bool virtqueue_prepare(uint16_t index, uint16_t size) {
  device_write(REG_QUEUE_SELECT, index);
  uint32_t max = device_read(REG_QUEUE_MAX);
  if (max == 0 || size > max) return false;
  if (size == 0) size = max < QUEUE_LIMIT ? (uint16_t)max : QUEUE_LIMIT;
  struct virtqueue* queue = &virtqueues[index];
  *queue = (struct virtqueue){.index = index, .size = size, .memory = &queue_memory[index]};
  queue->memory->available.flags = 0;
  queue->memory->available.index = 0;
  queue->memory->used.flags = 0;
  queue->memory->used.index = 0;
  device_write(REG_QUEUE_SIZE, size);
  return true;
}

static void write_address(uint32_t reg, uint64_t address) {
  device_write(reg, (uint32_t)address);
  device_write(reg + 4, (uint32_t)(address >> 32));
}

void virtqueue_write_addresses(uint16_t index, uint64_t desc, uint64_t avail, uint64_t used) {
  device_write(REG_QUEUE_SELECT, index);
  write_address(REG_QUEUE_DESC, desc);
  write_address(REG_QUEUE_AVAIL, avail);
  write_address(REG_QUEUE_USED, used);
}

void virtqueue_enable(uint16_t index) {
  volatile struct queue_memory* memory = virtqueues[index].memory;
  virtqueue_write_addresses(index, (uint64_t)memory->descriptors, (uint64_t)&memory->available,
                            (uint64_t)&memory->used);
  device_write(REG_QUEUE_READY, 1);
}

static uint64_t wanted_features(void) {
  uint64_t wanted = FEATURE_VERSION_1 | FEATURE_MUST_TELL_HOST | FEATURE_DEFLATE_ON_OOM;
  if (params.flags & GUEST_STATISTICS) wanted |= FEATURE_STATS_VQ;
  return wanted & ~params.decline_features;
}

static bool negotiate(void) {
  negotiated_features = virtio_offered_features() & wanted_features();
  virtio_write_features(negotiated_features);
  uint32_t status = STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK;
  device_write(REG_STATUS, status);
  return (device_read(REG_STATUS) & STATUS_FEATURES_OK) != 0;
}

static bool enable_queues(void) {
  uint16_t count = negotiated_features & FEATURE_STATS_VQ ? 3 : 2;
  for (uint16_t index = 0; index < count; index++) {
    if (!virtqueue_prepare(index, params.queue_size)) return false;
    virtqueue_enable(index);
  }
  return true;
}

bool virtio_start(void) {
  if (device_read(REG_MAGIC) != VIRTIO_MAGIC || device_read(REG_VERSION) != VIRTIO_VERSION ||
      device_read(REG_DEVICE_ID) != VIRTIO_ID_BALLOON) {
    return false;
  }
  if (!virtio_reset()) return false;
  device_write(REG_STATUS, STATUS_ACKNOWLEDGE);
  device_write(REG_STATUS, STATUS_ACKNOWLEDGE | STATUS_DRIVER);
  if (!negotiate() || !enable_queues()) {
    device_write(REG_STATUS, STATUS_FAILED);
    return false;
  }
  device_write(REG_STATUS,
               STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK | STATUS_DRIVER_OK);
  config_changed = true;  // num_pages may be set before the driver is there
  return (device_read(REG_STATUS) & (STATUS_NEEDS_RESET | STATUS_FAILED)) == 0;
}

void set_descriptor(struct virtqueue* queue, uint16_t index, uint64_t address, uint32_t length,
                    uint16_t flags, uint16_t next) {
  volatile struct descriptor* descriptor = &queue->memory->descriptors[index];
  descriptor->address = address;
  descriptor->length = length;
  descriptor->flags = flags;
  descriptor->next = next;
}

void virtqueue_submit(struct virtqueue* queue, uint16_t head) {
  volatile struct available_ring* available = &queue->memory->available;
  available->ring[queue->next_available & (queue->size - 1)] = head;
  // x86 keeps stores in order; the compiler must as well.
  __asm__ volatile("" : : : "memory");
  available->index = ++queue->next_available;
  // The device may look at the ring at any time: the index must be visible before the kick.
  __asm__ volatile("mfence" : : : "memory");
  device_write(REG_QUEUE_NOTIFY, queue->index);
}

uint32_t virtio_take_interrupt(void) {
  if (!interrupt_pending) return 0;
  interrupt_pending = 0;
  uint32_t status = device_read(REG_INTERRUPT_STATUS);
  if (status == 0) return 0;
  device_write(REG_INTERRUPT_ACK, status);
  if (status & INTERRUPT_CONFIG) config_changed = true;
  return status;
}

static bool answered(const struct virtqueue* queue) {
  return queue->memory->used.index == queue->next_available;
}

enum wait_result virtqueue_wait(struct virtqueue* queue, uint64_t timeout_us) {
  if (answered(queue)) return WAIT_DONE;
  uint64_t deadline = deadline_after_us(timeout_us);
  for (;;) {
    uint32_t interrupts = virtio_take_interrupt();
    if (answered(queue)) return WAIT_DONE;
    bool configured = (interrupts & INTERRUPT_CONFIG) != 0;
    if (configured && (device_read(REG_STATUS) & STATUS_NEEDS_RESET)) return WAIT_NEEDS_RESET;
    if (rdtsc() >= deadline) return WAIT_TIMEOUT;
    wait_for_interrupt(deadline);
  }
}
