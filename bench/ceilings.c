/* Threads, buffers and times of the ceilings: the best of a few short runs each. */
#include "ceilings.h"

#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include "bench_base.h"
#include "ceiling_kernels.h"

enum { RUNS = 4, AHEAD = 32, INDICES = 1 << 15 };

typedef enum work_kind { FMA32, FMA64, READ, GATHER, GATHER_PREFETCHED } work_kind;

typedef struct work {
  work_kind kind;
  size_t bytes;    /* of the buffer of each thread */
  double duration; /* of one run */
  uint32_t threads;
  pthread_barrier_t barrier;
} work;

typedef struct worker {
  work *work;
  uint32_t index;
  int processor; /* −1: none */
  double rate;   /* best of the runs */
  double seconds[RUNS], done[RUNS];
  uint64_t kept; /* of what was read, so that nothing is optimised away */
} worker;

static void fill_indices(uint32_t *index, size_t bytes, uint32_t seed) {
  bench_random random = {seed};
  for (size_t i = 0; i < INDICES + AHEAD; i++)
    index[i] = (uint32_t)bench_random_below(&random, bytes / BENCH_ROW_BYTES);
}

/* Work for at least `duration`; returns flops or bytes. */
static double repeat(worker *w, const void *buffer, const uint32_t *index, double duration) {
  const bench_ceiling_kernels *kernels = bench_ceiling_kernels_get();
  const double begin = bench_now();
  double done = 0.0;
  do {
    switch (w->work->kind) {
    case FMA32:
      done += kernels->fma32(20000);
      break;
    case FMA64:
      done += kernels->fma64(20000);
      break;
    case READ:
      /* Small buffers several times between two looks at the clock. */
      for (size_t bytes = 0; bytes < 1u << 20; bytes += w->work->bytes) {
        w->kept |= kernels->read(buffer, w->work->bytes);
        done += (double)w->work->bytes;
      }
      break;
    case GATHER:
    case GATHER_PREFETCHED:
      w->kept |=
          kernels->gather(buffer, index, INDICES, w->work->kind == GATHER_PREFETCHED ? AHEAD : 0);
      done += (double)INDICES * BENCH_ROW_BYTES;
      break;
    }
  } while (bench_now() - begin < duration);
  return done;
}

static void *work_thread(void *argument) {
  worker *w = argument;
  work *shared = w->work;
  if (w->processor >= 0) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(w->processor, &set);
    pthread_setaffinity_np(pthread_self(), sizeof set, &set);
  }
  void *buffer = shared->bytes > 0 ? bench_allocate(shared->bytes, 1) : NULL;
  uint32_t *index = NULL;
  if (shared->kind == GATHER || shared->kind == GATHER_PREFETCHED) {
    index = bench_allocate(INDICES + AHEAD, sizeof *index);
    fill_indices(index, shared->bytes, w->index + 1);
  }
  repeat(w, buffer, index, 0.2 * shared->duration);
  for (int r = 0; r < RUNS; r++) {
    pthread_barrier_wait(&shared->barrier);
    const double begin = bench_now();
    w->done[r] = repeat(w, buffer, index, shared->duration);
    w->seconds[r] = bench_now() - begin;
  }
  bench_free(buffer);
  bench_free(index);
  return NULL;
}

static int nth_processor(uint32_t n) {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return -1;
  const uint32_t count = (uint32_t)CPU_COUNT(&set);
  if (count == 0) return -1;
  n %= count;
  for (int p = 0; p < CPU_SETSIZE; p++)
    if (CPU_ISSET(p, &set) && n-- == 0) return p;
  return -1;
}

static double measure(work_kind kind, size_t bytes, uint32_t threads, double duration) {
  work shared = {
      .kind = kind, .bytes = bytes, .duration = duration / (RUNS + 1), .threads = threads};
  pthread_barrier_init(&shared.barrier, NULL, threads);
  worker *workers = bench_allocate(threads, sizeof *workers);
  pthread_t *handles = bench_allocate(threads, sizeof *handles);
  for (uint32_t i = 0; i < threads; i++) {
    workers[i].work = &shared;
    workers[i].index = i;
    workers[i].processor = nth_processor(i);
    if (pthread_create(&handles[i], NULL, work_thread, &workers[i]) != 0)
      bench_die("the system refuses %u threads", threads);
  }
  for (uint32_t i = 0; i < threads; i++) pthread_join(handles[i], NULL);
  double best = 0.0;
  for (int r = 0; r < RUNS; r++) {
    double rate = 0.0;
    for (uint32_t i = 0; i < threads; i++) rate += workers[i].done[r] / workers[i].seconds[r];
    best = fmax(best, rate);
  }
  pthread_barrier_destroy(&shared.barrier);
  bench_free(workers);
  bench_free(handles);
  return best;
}

static size_t memory_size(size_t l3) {
  const size_t physical = (size_t)sysconf(_SC_PHYS_PAGES) * (size_t)sysconf(_SC_PAGESIZE);
  size_t wanted = 2 * l3;
  if (wanted < (size_t)256 << 20) wanted = (size_t)256 << 20;
  if (wanted > (size_t)1 << 30) wanted = (size_t)1 << 30;
  return wanted < physical / 8 ? wanted : physical / 8;
}

void bench_ceilings_measure(bench_ceilings *c, uint32_t threads, size_t l1, size_t l2, size_t l3,
                            double seconds) {
  if (l1 == 0) l1 = (size_t)32 << 10;
  if (l2 == 0) l2 = (size_t)1 << 20;
  if (l3 == 0) l3 = (size_t)16 << 20;
  const size_t share = l3 / 2 / threads, most = (size_t)32 << 20;
  const size_t capacities[BENCH_LEVELS] = {l1, l2, l3, SIZE_MAX};
  const size_t sizes[BENCH_LEVELS] = {l1 / 2, l2 / 2, share < most ? share : most,
                                      memory_size(l3) / threads};
  static const char *const names[BENCH_LEVELS] = {"L1", "L2", "L3", "memory"};
  static const size_t footprints[BENCH_GATHERS] = {
      (size_t)32 << 10, (size_t)512 << 10, (size_t)2 << 20, (size_t)32 << 20, (size_t)256 << 20};
  const double each = seconds / (2 * (2 + BENCH_LEVELS + 2 * BENCH_GATHERS));
  c->threads = threads;
  c->isa = bench_ceiling_kernels_get()->isa;
  for (int all = 0; all < 2; all++) {
    const uint32_t n = all ? threads : 1;
    c->fma32[all] = measure(FMA32, 0, n, each);
    c->fma64[all] = measure(FMA64, 0, n, each);
    for (int l = 0; l < BENCH_LEVELS; l++) {
      c->read[l].name = names[l];
      c->read[l].capacity = capacities[l];
      c->read[l].bytes = sizes[l] / 4096 * 4096;
      c->read[l].rate[all] = measure(READ, c->read[l].bytes, n, each);
    }
    for (int g = 0; g < BENCH_GATHERS; g++) {
      c->gather[g].bytes = footprints[g];
      c->gather[g].rate[all] = measure(GATHER, footprints[g], n, each);
      c->gather[g].prefetched[all] = measure(GATHER_PREFETCHED, footprints[g], n, each);
    }
  }
}

/* Between one and all threads: the share of all. */
static double of_threads(const double rate[2], uint32_t all, uint32_t threads) {
  if (threads <= 1) return rate[0];
  return threads >= all ? rate[1] : rate[1] * threads / all;
}

double bench_ceiling_fma(const bench_ceilings *c, size_t size, uint32_t threads) {
  return of_threads(size == 4 ? c->fma32 : c->fma64, c->threads, threads);
}

int bench_ceiling_level(const bench_ceilings *c, double bytes, uint32_t threads) {
  for (int l = 0; l < BENCH_LEVELS - 1; l++) {
    /* L1 and L2 are each core's own, L3 is shared. */
    const double caches = l < 2 ? (double)(threads < c->threads ? threads : c->threads) : 1.0;
    if (bytes <= caches * (double)c->read[l].capacity) return l;
  }
  return BENCH_LEVELS - 1;
}

double bench_ceiling_read(const bench_ceilings *c, int level, uint32_t threads) {
  return of_threads(c->read[level].rate, c->threads, threads);
}

double bench_pace(void) {
  const bench_ceiling_kernels *kernels = bench_ceiling_kernels_get();
  const double begin = bench_now();
  kernels->fma32(600000);
  return bench_now() - begin;
}
