// The least that giving back a guest's pages can cost: for each request of page frames, one madvise for each maximal
// range of them, on the same kind of mapping that the device works on.
//
// usage: discard-loop PAGES FRAMES_PER_REQUEST < frames (u32, native byte order)
// prints: nanoseconds of the discards, and how many madvise calls they were.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { kPageBytes = 4096 };

static void Fail(const char *what) {
  perror(what);
  exit(1);
}

static int CompareFrames(const void *left, const void *right) {
  uint32_t a = *(const uint32_t *)left;
  uint32_t b = *(const uint32_t *)right;
  return (a > b) - (a < b);
}

static uint8_t *MapTouched(size_t bytes) {
  int fd = memfd_create("discard-loop", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0) Fail("memfd_create");
  if (ftruncate(fd, (off_t)bytes) != 0) Fail("ftruncate");
  if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) != 0) Fail("F_ADD_SEALS");
  uint8_t *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) Fail("mmap");
  for (size_t at = 0; at < bytes; at += kPageBytes) memory[at] = 1;
  return memory;
}

static int IsSorted(const uint32_t *frames, size_t count) {
  for (size_t i = 1; i < count; i++) {
    if (frames[i] < frames[i - 1]) return 0;
  }
  return 1;
}

static uint64_t DiscardRequest(uint8_t *memory, uint32_t *frames, size_t count) {
  uint64_t calls = 0;
  if (!IsSorted(frames, count)) qsort(frames, count, sizeof *frames, CompareFrames);
  for (size_t first = 0; first < count;) {
    size_t end = first + 1;
    while (end < count && frames[end] == frames[end - 1] + 1) end++;
    size_t offset = (size_t)frames[first] * kPageBytes;
    if (madvise(memory + offset, (end - first) * kPageBytes, MADV_REMOVE) != 0) Fail("madvise");
    calls++;
    first = end;
  }
  return calls;
}

static uint64_t NowNs(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int main(int argc, char **argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: discard-loop PAGES FRAMES_PER_REQUEST < frames\n");
    return 2;
  }
  size_t pages = strtoull(argv[1], NULL, 10);
  size_t per_request = strtoull(argv[2], NULL, 10);
  uint32_t *frames = malloc(pages * sizeof *frames);
  if (frames == NULL || per_request == 0) Fail("arguments");
  if (fread(frames, sizeof *frames, pages, stdin) != pages) Fail("frames");
  uint8_t *memory = MapTouched(pages * kPageBytes);
  uint64_t calls = 0;
  uint64_t started = NowNs();
  for (size_t at = 0; at < pages; at += per_request) {
    size_t count = pages - at < per_request ? pages - at : per_request;
    calls += DiscardRequest(memory, frames + at, count);
  }
  uint64_t ended = NowNs();
  printf("%llu %llu\n", (unsigned long long)(ended - started), (unsigned long long)calls);
  return 0;
}
