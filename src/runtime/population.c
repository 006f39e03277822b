/* Populations: serial passes of many networks, shared out over one team. Each thread has members of its
 * own, the same in every call with the same members, dearest first, and then takes over what others have
 * left, cheapest first. May include plan and below. */
#include <backdag/population.h>

#include <math.h>
#include <omp.h>
#include <string.h>

#include "base/memory.h"
#include "base/team.h"
#include "runtime/engine_internal.h"

/* Seconds that a pass costs beside what the cost model knows of: the call, and rows and activations. */
#define PASS_SECONDS 0.3e-6
#define ROW_SECONDS  10e-9
#define LANE_SECONDS 0.5e-9
/* A team must gain that share, or the calling thread works alone. */
#define WORTHWHILE 0.9

/* Members are sorted by classes of cost: four to an octave from 2^−30 seconds on. */
#define CLASS_EXPONENT (-30)
#define CLASSES        192

typedef enum population_pass {
  PASS_FORWARD,
  PASS_PREDICT,
  PASS_LOSS,
  PASS_BACKWARD
} population_pass;

/* Members that a thread has not begun: positions `begin` … `end`−1 among its own, in one word. */
typedef struct thread_share {
  _Alignas(64) _Atomic uint64_t range;
} thread_share;

typedef struct population {
  bdag_member *member;
  uint32_t count, threads, team; /* threads: at most */
  population_pass pass;
  const bdag_population_options *options;
  const bdag_context *context;
  double seconds, longest; /* of all members, and of the dearest */
  uint8_t *class;          /* [count] of cost */
  uint32_t *order;         /* [count] members by cost */
  thread_share *share;     /* [team] */
  bdag_engine **seen;      /* [seen_mask + 1] a hash table of engines */
  uint64_t seen_mask;
} population;

/* ---- One member ---------------------------------------------------------------------------------- */

static bdag_status run_pass(const population *p, bdag_member *m) {
  const bdag_status status = p->pass == PASS_PREDICT
                                 ? bdag_predict(m->engine, m->weights, m->batch, m->x, m->y)
                                 : bdag_forward(m->engine, m->weights, m->batch, m->x, m->y);
  if (status != BDAG_OK || p->pass < PASS_LOSS) return status;
  double loss;
  const bdag_status end =
      p->pass == PASS_LOSS
          ? bdag_loss(m->engine, m->targets, m->sample_weights, &loss)
          : bdag_backward(m->engine, m->weights, m->targets, m->sample_weights, &loss);
  if (end == BDAG_OK) m->loss = loss;
  return end;
}

static void run_member(const population *p, bdag_member *m) {
  if (m->status != BDAG_OK) return;
  if (p->options->stop != NULL && p->options->stop(p->options->user) != 0)
    m->status = BDAG_ERROR_CANCELLED;
  else
    m->status = run_pass(p, m);
}

/* ---- Checks and costs ---------------------------------------------------------------------------- */

/* Whether an engine is met for the first time. */
static int is_new(population *p, bdag_engine *engine) {
  const uint64_t hash = ((uint64_t)(uintptr_t)engine >> 6) * UINT64_C(0x9e3779b97f4a7c15) >> 20;
  for (uint64_t i = hash & p->seen_mask;; i = (i + 1) & p->seen_mask) {
    if (p->seen[i] == engine) return 0;
    if (p->seen[i] != NULL) continue;
    p->seen[i] = engine;
    return 1;
  }
}

static bdag_status check_member(population *p, const bdag_member *m) {
  if (m->engine == NULL || m->engine->context != p->context || m->engine->options.threads != 1)
    return BDAG_ERROR_INVALID_ARGUMENT;
  return is_new(p, m->engine) ? BDAG_OK : BDAG_ERROR_BUSY;
}

/* About the seconds of a member's pass; 0 when it will not run. Reads only what passes do not write, so
 * that no core has to give its cache lines away. */
static double seconds_of(const population *p, const bdag_member *m) {
  const bdag_engine *engine = m->engine;
  if (m->status != BDAG_OK || m->batch > engine->options.max_batch) return 0;
  const double lanes = (double)m->batch + BDAG_ROW_QUANTUM / 2;
  double tile = engine->tile_seconds[0];
  double passes = 1;
  if (p->pass == PASS_BACKWARD) {
    tile += engine->tile_seconds[1];
    passes = 2;
  }
  return tile * lanes / engine->tile +
         passes * (PASS_SECONDS + engine->plan->rows * (ROW_SECONDS + lanes * LANE_SECONDS));
}

static uint8_t class_of(double seconds) {
  if (!(seconds > 0)) return 0;
  int exponent;
  const double mantissa = frexp(seconds, &exponent);
  const int number = 1 + 4 * (exponent - CLASS_EXPONENT) + (int)(8 * (mantissa - 0.5));
  return (uint8_t)(number < 1 ? 1 : number < CLASSES ? number : CLASSES - 1);
}

static void weigh_members(population *p) {
  for (uint32_t i = 0; i < p->count; i++) {
    const double seconds = seconds_of(p, &p->member[i]);
    p->seconds += seconds;
    p->longest = fmax(p->longest, seconds);
    p->class[i] = class_of(seconds);
  }
}

static int worth_a_team(const population *p, uint32_t threads) {
  if (p->seconds < p->context->costs.team) return 0;
  const double shared =
      bdag_team_seconds(p->context, threads) + fmax(p->seconds / threads, p->longest);
  return shared < WORTHWHILE * p->seconds;
}

/* Dearest first, equal ones as they come: a counting sort. */
static void sort_members(population *p) {
  uint32_t place[CLASSES + 1] = {0};
  for (uint32_t i = 0; i < p->count; i++) place[CLASSES - p->class[i]]++;
  for (uint32_t c = 0; c < CLASSES; c++) place[c + 1] += place[c];
  for (uint32_t i = 0; i < p->count; i++) p->order[place[CLASSES - 1 - p->class[i]]++] = i;
}

/* ---- Sharing ------------------------------------------------------------------------------------- */

/* The `i`-th member of a thread's own: there and back over the threads, so that none has always the dearer
 * one. */
static uint64_t position_of(const population *p, uint32_t thread, uint64_t i) {
  return i * p->team + (i % 2 == 0 ? thread : p->team - 1 - thread);
}

static void share_out(population *p) {
  for (uint32_t t = 0; t < p->team; t++) {
    const uint64_t whole = p->count / p->team;
    const uint64_t own = whole + (position_of(p, t, whole) < p->count);
    atomic_store_explicit(&p->share[t].range, own << 32, memory_order_relaxed);
  }
}

/* One of the range from its beginning, or from its end; UINT64_MAX: it is empty. Relaxed: members and order
 * were written before the threads began. */
static uint64_t take(thread_share *share, int from_end) {
  uint64_t range = atomic_load_explicit(&share->range, memory_order_relaxed);
  for (;;) {
    const uint64_t begin = range & UINT32_MAX, end = range >> 32;
    if (begin >= end) return UINT64_MAX;
    const uint64_t rest = from_end ? (end - 1) << 32 | begin : end << 32 | (begin + 1);
    if (atomic_compare_exchange_weak_explicit(&share->range, &range, rest, memory_order_relaxed,
                                              memory_order_relaxed))
      return from_end ? end - 1 : begin;
  }
}

static void run_share(const population *p, uint32_t thread, int from_end) {
  for (uint64_t i; (i = take(&p->share[thread], from_end)) != UINT64_MAX;)
    run_member(p, &p->member[p->order[position_of(p, thread, i)]]);
}

static void run_on_team(const population *p) {
#pragma omp parallel num_threads(p->team)
  {
    const uint32_t thread = (uint32_t)omp_get_thread_num();
    bdag_team_bind(p->context, thread);
    for (uint32_t i = 0; i < p->team; i++) run_share(p, (thread + i) % p->team, i > 0);
    bdag_team_unbind(p->context, thread);
  }
}

/* ---- The calls ----------------------------------------------------------------------------------- */

static const bdag_context *context_of(const population *p) {
  for (uint32_t i = 0; i < p->count; i++)
    if (p->member[i].engine != NULL) return p->member[i].engine->context;
  return NULL;
}

/* In one block: hash table, order, classes. */
static int allocate(population *p) {
  uint64_t places = 2;
  while (places < 2 * (uint64_t)p->count) places *= 2;
  p->seen_mask = places - 1;
  const uint64_t member = sizeof *p->order + sizeof *p->class;
  p->seen = bdag_allocate_array(p->context, places * sizeof *p->seen + p->count * member, 1);
  if (p->seen == NULL) return -1;
  memset(p->seen, 0, places * sizeof *p->seen);
  p->order = (uint32_t *)(p->seen + places);
  p->class = (uint8_t *)(p->order + p->count);
  return 0;
}

/* Threads out of the context's budget: 1 when more are not worth it, 0 when the system has none. */
static uint32_t claim_team(population *p) {
  if (p->threads <= 1 || p->count <= 1) return 1;
  weigh_members(p);
  return worth_a_team(p, p->threads) ? bdag_team_enter(p->context, p->threads) : 1;
}

static bdag_status share(population *p) {
  p->share = bdag_allocate_array(p->context, p->team, sizeof *p->share);
  if (p->share == NULL) return BDAG_ERROR_OUT_OF_MEMORY;
  sort_members(p);
  share_out(p);
  run_on_team(p);
  bdag_free(p->context, p->share);
  return BDAG_OK;
}

static bdag_status run(population *p) {
  for (uint32_t i = 0; i < p->count; i++) p->member[i].status = check_member(p, &p->member[i]);
  p->team = claim_team(p);
  if (p->team == 0) return BDAG_ERROR_THREADS;
  if (p->team > 1) {
    const bdag_status status = share(p);
    bdag_team_leave(p->context, p->team);
    return status;
  }
  for (uint32_t i = 0; i < p->count; i++) run_member(p, &p->member[i]);
  return BDAG_OK;
}

static int sizes_are_known(const bdag_member *members, uint64_t count,
                           const bdag_population_options *options) {
  if (options != NULL && options->size != sizeof *options) return 0;
  for (uint64_t i = 0; i < count; i++)
    if (members[i].size != sizeof *members) return 0;
  return 1;
}

static bdag_status refuse_all(bdag_member *members, uint64_t count) {
  for (uint64_t i = 0; i < count; i++) members[i].status = BDAG_ERROR_INVALID_ARGUMENT;
  return BDAG_ERROR_INVALID_ARGUMENT;
}

static bdag_status run_population(bdag_member *members, uint64_t count,
                                  const bdag_population_options *options, population_pass pass) {
  static const bdag_population_options defaults = BDAG_POPULATION_OPTIONS_INIT;
  if (members == NULL && count > 0) return BDAG_ERROR_INVALID_ARGUMENT;
  if (count > INT32_MAX) return BDAG_ERROR_LIMIT;
  if (!sizes_are_known(members, count, options)) return BDAG_ERROR_INVALID_ARGUMENT;
  population p = {.member = members,
                  .count = (uint32_t)count,
                  .pass = pass,
                  .options = options != NULL ? options : &defaults};
  p.context = context_of(&p);
  if (p.context == NULL) return count > 0 ? refuse_all(members, count) : BDAG_OK;
  p.threads = bdag_context_threads(p.context);
  if (p.options->threads != 0 && p.options->threads < p.threads) p.threads = p.options->threads;
  p.threads = bdag_context_at_once(p.context, p.threads);
  if (allocate(&p) != 0) return BDAG_ERROR_OUT_OF_MEMORY;
  bdag_status status = run(&p);
  bdag_free(p.context, p.seen);
  for (uint64_t i = 0; i < count && status == BDAG_OK; i++) status = members[i].status;
  return status;
}

bdag_status bdag_population_forward(bdag_member *members, uint64_t count,
                                    const bdag_population_options *options) {
  return run_population(members, count, options, PASS_FORWARD);
}

bdag_status bdag_population_predict(bdag_member *members, uint64_t count,
                                    const bdag_population_options *options) {
  return run_population(members, count, options, PASS_PREDICT);
}

bdag_status bdag_population_loss(bdag_member *members, uint64_t count,
                                 const bdag_population_options *options) {
  return run_population(members, count, options, PASS_LOSS);
}

bdag_status bdag_population_backward(bdag_member *members, uint64_t count,
                                     const bdag_population_options *options) {
  return run_population(members, count, options, PASS_BACKWARD);
}
