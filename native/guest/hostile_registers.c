// Misuse of the registers, of the config space and of the order of set-up. The last steps are the
// jumps of avail.idx, which end in NEEDS_RESET.
#include "hostile_steps.h"

#define CONFIG_NUM_PAGES (REG_CONFIG + 0)
#define CONFIG_ACTUAL (REG_CONFIG + 4)
#define FLOOD_KICKS 256
#define FEATURES_STATUS (STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK)

static void write8(uint32_t reg, uint8_t value) {
  *(volatile uint8_t*)(params.virtio_mmio_base + reg) = value;
}
static void write16(uint32_t reg, uint16_t value) {
  *(volatile uint16_t*)(params.virtio_mmio_base + reg) = value;
}
static void write64(uint32_t reg, uint64_t value) {
  *(volatile uint64_t*)(params.virtio_mmio_base + reg) = value;
}

static void print_register(const char* name, uint32_t reg) {
  print(name);
  print_hex(device_read(reg));
}

static void print_config(void) {
  print("hostile:  ");
  print_register(" num_pages=", CONFIG_NUM_PAGES);
  print_register(" actual=", CONFIG_ACTUAL);
  end_line();
  device_write(CONFIG_ACTUAL, 0);
}

// R13
static void actual_of_all_ones(void) {
  device_write(CONFIG_ACTUAL, UINT32_MAX);
  print_config();
}
static void config_narrow(void) {
  write8(CONFIG_ACTUAL, 0x11);
  write16(CONFIG_ACTUAL, 0x2222);
  write8(CONFIG_ACTUAL + 3, 0x33);
  print_config();
}
static void config_unaligned(void) {
  device_write(CONFIG_ACTUAL + 2, 0x44444444);
  device_write(CONFIG_NUM_PAGES + 3, 0x55555555);
  print_config();
}
static void config_wide(void) {
  write64(CONFIG_NUM_PAGES, 0x6666666677777777u);
  print_config();
}
static void config_target(void) {
  device_write(CONFIG_NUM_PAGES, 0x12345);
  print_config();
}
static void config_beyond(void) {
  device_write(REG_CONFIG + 8, 0x88888888);
  device_write(0x1fc, 0x99999999);
  device_write(0xffc, 0xaaaaaaaa);
  (void)device_read(0xffc);
  print_config();
}
static void register_sizes(void) {
  write8(REG_STATUS, 0);
  write16(REG_STATUS, 0);
  write64(REG_STATUS, 0);
  (void)*(volatile uint8_t*)(params.virtio_mmio_base + REG_STATUS);
  (void)*(volatile uint64_t*)(params.virtio_mmio_base + REG_MAGIC);
  device_write(REG_MAGIC, 0);
  hostile.restart = true;
}

// R14
static void kick_missing_queues(void) {
  static const uint32_t queues[] = {3, 7, 32, 0xffff, 0x10000, UINT32_MAX};
  for (unsigned i = 0; i < sizeof(queues) / sizeof(queues[0]); i++) {
    device_write(REG_QUEUE_NOTIFY, queues[i]);
  }
}
static void kick_narrow(void) {
  write8(REG_QUEUE_NOTIFY, 0);
  write16(REG_QUEUE_NOTIFY, 1);
  write64(REG_QUEUE_NOTIFY, 0);
}
static void kick_flood(void) {
  for (int i = 0; i < FLOOD_KICKS; i++) device_write(REG_QUEUE_NOTIFY, (uint32_t)i & 1);
}
static void kick_after_reset(void) {
  virtio_reset();
  device_write(REG_QUEUE_NOTIFY, QUEUE_INFLATE);
  device_write(REG_QUEUE_NOTIFY, QUEUE_STATS);
  hostile.restart = true;
}

// Reset and up to FEATURES_OK, with the features negotiated before.
static void set_up_features(void) {
  virtio_reset();
  device_write(REG_STATUS, STATUS_ACKNOWLEDGE);
  device_write(REG_STATUS, STATUS_ACKNOWLEDGE | STATUS_DRIVER);
  virtio_write_features(negotiated_features);
  device_write(REG_STATUS, FEATURES_STATUS);
  hostile.restart = true;
}

static void kick_before_activation(void) {
  set_up_features();
  for (uint16_t index = QUEUE_INFLATE; index <= QUEUE_DEFLATE; index++) {
    virtqueue_prepare(index, params.queue_size);
    virtqueue_enable(index);
  }
  hostile_list[0] = hostile.scratch[0];
  hostile.watched = &virtqueues[QUEUE_INFLATE];
  hostile.expected = 1;  // the kick is honoured once the driver is ready
  set_descriptor(hostile.watched, 0, (uint64_t)hostile_list, 4, 0, 0);
  virtqueue_submit(hostile.watched, 0);
  device_write(REG_STATUS, OK_STATUS);
}

// R15
static void reset_in_flight(void) {
  hostile_list[0] = hostile.scratch[1];
  set_descriptor(&virtqueues[QUEUE_INFLATE], 0, (uint64_t)hostile_list, 4, 0, 0);
  virtqueue_submit(&virtqueues[QUEUE_INFLATE], 0);
  virtio_reset();  // the statistics buffer is outstanding as well
  hostile.restart = true;
}

// R7: one queue with a bad size or place, then DRIVER_OK and a kick.
static void start_with(uint32_t size, uint64_t desc, uint64_t avail, uint64_t used) {
  set_up_features();
  virtqueue_prepare(QUEUE_DEFLATE, 0);
  virtqueue_enable(QUEUE_DEFLATE);
  virtqueue_prepare(QUEUE_INFLATE, 0);
  device_write(REG_QUEUE_SIZE, size);
  virtqueue_write_addresses(QUEUE_INFLATE, desc, avail, used);
  device_write(REG_QUEUE_READY, 1);
  device_write(REG_STATUS, OK_STATUS);
  device_write(REG_QUEUE_NOTIFY, QUEUE_INFLATE);
}
static void start_with_offsets(uint32_t size, uint64_t desc, uint64_t avail, uint64_t used) {
  volatile struct queue_memory* memory = virtqueues[QUEUE_INFLATE].memory;
  start_with(size, (uint64_t)memory->descriptors + desc, (uint64_t)&memory->available + avail,
             (uint64_t)&memory->used + used);
}
static void queue_size_0(void) { start_with_offsets(0, 0, 0, 0); }
static void queue_size_3(void) { start_with_offsets(3, 0, 0, 0); }
static void queue_size_65536(void) { start_with_offsets(0x10000, 0, 0, 0); }
static void descriptors_misaligned(void) { start_with_offsets(16, 8, 0, 0); }
static void available_misaligned(void) { start_with_offsets(16, 0, 1, 0); }
static void used_misaligned(void) { start_with_offsets(16, 0, 0, 2); }
static void rings_outside(void) {
  start_with(16, 0xfffffff000u, params.virtio_mmio_base, 0xfffffffffffffff0u);
}
static void rings_overlap(void) {
  uint64_t place = (uint64_t)virtqueues[QUEUE_INFLATE].memory->descriptors;
  virtqueues[QUEUE_INFLATE].memory->descriptors[0] = (struct descriptor){0};
  start_with(16, place, place, place);
}

// R8
static void ready_without_addresses(void) {
  set_up_features();
  virtqueue_prepare(QUEUE_INFLATE, 0);
  device_write(REG_QUEUE_READY, 1);
  device_write(REG_STATUS, OK_STATUS);
  device_write(REG_QUEUE_NOTIFY, QUEUE_INFLATE);
}
static void no_queue_ready(void) {
  set_up_features();
  device_write(REG_STATUS, OK_STATUS);
  device_write(REG_QUEUE_NOTIFY, QUEUE_INFLATE);
}
static void change_running_queue(void) {
  device_write(REG_QUEUE_SELECT, QUEUE_INFLATE);
  device_write(REG_QUEUE_SIZE, 3);
  virtqueue_write_addresses(QUEUE_INFLATE, UINT64_MAX, UINT64_MAX, UINT64_MAX);
  device_write(REG_QUEUE_READY, 0);
  device_write(REG_QUEUE_SELECT, UINT32_MAX);
  device_write(REG_QUEUE_SIZE, 16);
  device_write(REG_QUEUE_READY, 1);
  hostile_list[0] = hostile.scratch[0];
  hostile.watched = &virtqueues[QUEUE_INFLATE];
  hostile.expected = 1;  // the changes were ignored
  set_descriptor(hostile.watched, 0, (uint64_t)hostile_list, 4, 0, 0);
  virtqueue_submit(hostile.watched, 0);
}

// R18
static void print_status(void) {
  print("hostile:  ");
  print_register(" status=", REG_STATUS);
  end_line();
  hostile.restart = true;
}
static void features_not_offered(void) {
  virtio_reset();
  device_write(REG_STATUS, STATUS_ACKNOWLEDGE);
  device_write(REG_STATUS, STATUS_ACKNOWLEDGE | STATUS_DRIVER);
  virtio_write_features(UINT64_MAX);
  device_write(REG_DRIVER_FEATURES_SELECT, 7);
  device_write(REG_DRIVER_FEATURES, UINT32_MAX);
  device_write(REG_STATUS, FEATURES_STATUS);
  print_status();
}
static void features_without_version_1(void) {
  virtio_reset();
  device_write(REG_STATUS, STATUS_ACKNOWLEDGE);
  device_write(REG_STATUS, STATUS_ACKNOWLEDGE | STATUS_DRIVER);
  virtio_write_features(FEATURE_MUST_TELL_HOST);
  device_write(REG_STATUS, FEATURES_STATUS);
  print_status();
}
static void status_at_once(void) {
  virtio_reset();
  device_write(REG_STATUS, OK_STATUS);
  device_write(REG_QUEUE_NOTIFY, QUEUE_INFLATE);
  print_status();
}
static void status_backwards(void) {
  device_write(REG_STATUS, STATUS_ACKNOWLEDGE);
  device_write(REG_STATUS, 0xffffff00u);
  print_status();
}
static void status_failed(void) {
  device_write(REG_STATUS, OK_STATUS | STATUS_FAILED);
  device_write(REG_STATUS, OK_STATUS);
  device_write(REG_QUEUE_NOTIFY, QUEUE_INFLATE);
  print_status();
}

// R1
static void jump(uint16_t index) {
  struct virtqueue* queue = &virtqueues[index];
  if (queue->size == 0) {
    print_line("hostile:   skipped, no such queue");
    return;
  }
  queue->memory->available.index = (uint16_t)(queue->next_available + queue->size + 1000);
  device_write(REG_QUEUE_NOTIFY, index);
  hostile.wait_for_reset_request = true;
}
static void jump_inflate(void) { jump(QUEUE_INFLATE); }
static void jump_deflate(void) { jump(QUEUE_DEFLATE); }
static void jump_statistics(void) { jump(QUEUE_STATS); }

const struct hostile_step hostile_register_steps[] = {
    {13, "actual = 0xffffffff", actual_of_all_ones},
    {13, "config writes of 1 and 2 bytes", config_narrow},
    {13, "config writes at odd offsets", config_unaligned},
    {13, "config write of 8 bytes", config_wide},
    {13, "write to num_pages", config_target},
    {13, "config writes beyond the config space", config_beyond},
    {13, "register accesses of 1, 2 and 8 bytes", register_sizes},
    {14, "kicks of queues that do not exist", kick_missing_queues},
    {14, "kicks of 1, 2 and 8 bytes", kick_narrow},
    {14, "256 kicks for nothing", kick_flood},
    {14, "kick after reset", kick_after_reset},
    {14, "kick before DRIVER_OK", kick_before_activation},
    {15, "reset with an inflation and statistics in flight", reset_in_flight},
    {7, "queue size 0", queue_size_0},
    {7, "queue size 3", queue_size_3},
    {7, "queue size 65536", queue_size_65536},
    {7, "descriptor table misaligned", descriptors_misaligned},
    {7, "avail ring misaligned", available_misaligned},
    {7, "used ring misaligned", used_misaligned},
    {7, "rings outside RAM", rings_outside},
    {7, "rings on top of one another", rings_overlap},
    {8, "queue ready without addresses", ready_without_addresses},
    {8, "DRIVER_OK with no queue ready", no_queue_ready},
    {8, "queue registers changed while running", change_running_queue},
    {18, "features that were not offered", features_not_offered},
    {18, "FEATURES_OK without VERSION_1", features_without_version_1},
    {18, "status 0x0f at once", status_at_once},
    {18, "status backwards and with unknown bits", status_backwards},
    {18, "FAILED, then on as if nothing was", status_failed},
    {1, "avail.idx of the inflate queue jumps", jump_inflate},
    {1, "avail.idx of the deflate queue jumps", jump_deflate},
    {1, "avail.idx of the statistics queue jumps", jump_statistics},
};
const uint32_t hostile_register_step_count =
    sizeof(hostile_register_steps) / sizeof(hostile_register_steps[0]);
