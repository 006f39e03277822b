/* Who does what in the forward pass of one sample. A large network is worth a team also then, mostly because
 * the weights that one core's caches cannot hold are spread over those of several. Blocks that do not depend
 * on each other make a stage; its blocks, or parts of a panel's targets where blocks are few, are shared out
 * once and for all, so that each weight is always read by the same thread. May include plan and below. */
#include <math.h>

#include "base/memory.h"
#include "runtime/single_internal.h"

/* Of the team's costs, those of a meeting. */
#define MEETING 0.25
/* Share of a cache that weights may take. */
#define CACHE_SHARE 0.75
/* A team must gain that share, or the calling thread works alone. */
#define WORTHWHILE 0.9
#define SLOWEST    10e9 /* bytes per second where nothing is known */

typedef struct block_work {
  double dense, listed; /* edges */
} block_work;

typedef struct sharing {
  bdag_engine *engine;
  uint32_t threads;
  double dense[2], listed[2]; /* seconds an edge: alone, and shared */
  double meeting;
  double seconds[2]; /* of the whole pass: alone, and shared */
  bdag_single_list list;
  uint64_t segments; /* [stages][threads] */
} sharing;

typedef struct stage {
  uint32_t first, end; /* blocks */
  int shared;
  double seconds; /* of one thread */
} stage;

/* A block, or a part of a dense panel. */
typedef struct unit {
  uint32_t block, part, parts;
} unit;

/* ---- Costs --------------------------------------------------------------------------------------- */

static block_work work_of(const bdag_plan *plan, const bdag_block *block) {
  block_work work = {0};
  for (uint32_t p = block->panel; p < block->panel + block->panels; p++)
    work.dense += (double)plan->panel[p].sources * plan->panel[p].targets;
  for (uint32_t p = block->first_union; p < block->first_union + block->unions; p++)
    work.listed += (double)bdag_union_cells(&plan->union_panel[p]);
  work.listed +=
      (double)(plan->list_offset[block->row + block->rows] - plan->list_offset[block->row]);
  return work;
}

static double seconds_of(const sharing *s, block_work work, int shared) {
  return work.dense * s->dense[shared] + work.listed * s->listed[shared];
}

static double read_rate(const bdag_context *context, double bytes) {
  const bdag_machine *machine = &context->machine;
  const double size[] = {(double)machine->l1, (double)machine->l2, (double)machine->l3, INFINITY};
  for (int level = 0; level < 4; level++)
    if (bytes <= CACHE_SHARE * size[level] && context->costs.bytes_per_second[level] > 0)
      return context->costs.bytes_per_second[level];
  return SLOWEST;
}

/* A dense weight costs its bytes, one of a list what 16 samples in a row cost. */
static void find_costs(sharing *s) {
  const bdag_engine *engine = s->engine;
  const bdag_plan *plan = engine->plan;
  const bdag_cost_profile *costs = &engine->context->costs;
  double dense = 0;
  for (uint32_t p = 0; p < plan->panels; p++)
    dense += (double)plan->panel[p].sources * plan->panel[p].targets;
  const double bytes = dense * (double)engine->element, element = (double)engine->element;
  const double share = bytes / s->threads;
  s->dense[0] = fmax(element / read_rate(engine->context, bytes), 2 * costs->dense_forward);
  s->dense[1] =
      fmax(element / read_rate(engine->context, share), 2 * costs->dense_forward) / s->threads;
  s->listed[0] = 2 * BDAG_ROW_QUANTUM * costs->list_forward;
  s->listed[1] = s->listed[0] / s->threads;
  s->meeting = MEETING * costs->team;
}

/* ---- Stages -------------------------------------------------------------------------------------- */

/* Sources ascend, so that the last one tells. */
static int reads_from(const bdag_plan *plan, const bdag_block *block, uint32_t row) {
  for (uint32_t p = block->panel; p < block->panel + block->panels; p++) {
    const bdag_panel *panel = &plan->panel[p];
    if (panel->sources > 0 && plan->source[panel->list + panel->sources - 1] >= row) return 1;
  }
  for (uint32_t p = block->first_union; p < block->first_union + block->unions; p++) {
    const bdag_union *part = &plan->union_panel[p];
    for (uint32_t k = 0; k < part->sources; k++)
      if (plan->source[part->list + k] >= row) return 1;
  }
  for (uint32_t r = block->row; r < block->row + block->rows; r++) {
    const uint64_t end = plan->list_offset[r + 1];
    if (end == plan->list_offset[r]) continue;
    const uint32_t last = plan->list_source[end - 1];
    if (last >= row && last < block->row) return 1;
  }
  return 0;
}

/* Blocks from `first` on that do not depend on each other. */
static stage find_level(const sharing *s, uint32_t first) {
  const bdag_plan *plan = s->engine->plan;
  stage level = {.first = first, .end = first};
  double shared = 0;
  for (; level.end < plan->blocks; level.end++) {
    const bdag_block *block = &plan->block[level.end];
    if (level.end > first && reads_from(plan, block, plan->block[first].row)) break;
    const block_work work = work_of(plan, block);
    level.seconds += seconds_of(s, work, 0);
    shared += seconds_of(s, work, 1);
  }
  const bdag_block *block = &plan->block[first];
  const int divisible = level.end - first > 1 ||
                        (bdag_single_is_panel(plan, block) && block->rows > BDAG_ROW_QUANTUM);
  level.shared = divisible && level.seconds - shared > 2 * s->meeting;
  return level;
}

/* A level that is shared, or all levels up to the next such one. */
static stage find_stage(const sharing *s, uint32_t first) {
  stage found = find_level(s, first);
  while (!found.shared && found.end < s->engine->plan->blocks) {
    const stage level = find_level(s, found.end);
    if (level.shared) break;
    found.end = level.end;
    found.seconds += level.seconds;
  }
  return found;
}

/* ---- Steps --------------------------------------------------------------------------------------- */

static void begin_segment(sharing *s) {
  if (s->engine->single_segment != NULL) s->engine->single_segment[s->segments] = s->list.count;
  s->segments++;
}

/* Panels that are more than one thread's share are cut. */
static uint32_t parts_of(const sharing *s, const stage *stage, uint32_t block) {
  const bdag_plan *plan = s->engine->plan;
  const bdag_block *one = &plan->block[block];
  const double share = stage->seconds / s->threads;
  const uint32_t most = (one->rows + BDAG_ROW_QUANTUM - 1) / BDAG_ROW_QUANTUM;
  if (most < 2 || !bdag_single_is_panel(plan, one)) return 1;
  const double wanted = ceil(seconds_of(s, work_of(plan, one), 0) / share * 0.999);
  return wanted < 1 ? 1 : wanted < most ? (uint32_t)wanted : most;
}

static void add_unit(sharing *s, const unit *u) {
  const bdag_block *block = &s->engine->plan->block[u->block];
  if (u->parts == 1)
    bdag_single_add_block(&s->list, block);
  else
    bdag_single_add_part(&s->list, block, u->part, u->parts);
}

/* One after the other, as nearly equal shares as the units allow. */
static void add_shares(sharing *s, const stage *stage) {
  const bdag_plan *plan = s->engine->plan;
  unit u = {stage->first, 0, parts_of(s, stage, stage->first)};
  double done = 0;
  for (uint32_t t = 0; t < s->threads; t++) {
    const double until = t + 1 < s->threads ? stage->seconds * (t + 1) / s->threads : INFINITY;
    begin_segment(s);
    while (u.block < stage->end) {
      const double seconds = seconds_of(s, work_of(plan, &plan->block[u.block]), 0) / u.parts;
      if (done + seconds / 2 > until) break;
      done += seconds;
      add_unit(s, &u);
      if (++u.part < u.parts) continue;
      u.part = 0;
      if (++u.block < stage->end) u.parts = parts_of(s, stage, u.block);
    }
  }
}

static void add_stage(sharing *s, const stage *stage) {
  s->seconds[0] += stage->seconds;
  if (stage->shared) {
    s->seconds[1] += s->meeting;
    for (uint32_t b = stage->first; b < stage->end; b++)
      s->seconds[1] += seconds_of(s, work_of(s->engine->plan, &s->engine->plan->block[b]), 1);
    add_shares(s, stage);
    return;
  }
  s->seconds[1] += s->meeting + stage->seconds;
  begin_segment(s);
  for (uint32_t b = stage->first; b < stage->end; b++)
    bdag_single_add_block(&s->list, &s->engine->plan->block[b]);
  for (uint32_t t = 1; t < s->threads; t++) begin_segment(s);
}

static void add_all(sharing *s) {
  const bdag_plan *plan = s->engine->plan;
  s->segments = 0;
  s->seconds[0] = s->seconds[1] = 0;
  s->list = (bdag_single_list){
      .engine = s->engine, .step = s->engine->single_step, .in_order = s->threads == 1};
  if (s->threads == 1) {
    for (uint32_t b = 0; b < plan->blocks; b++) bdag_single_add_block(&s->list, &plan->block[b]);
    return;
  }
  for (uint32_t first = 0; first < plan->blocks;) {
    const stage stage = find_stage(s, first);
    add_stage(s, &stage);
    first = stage.end;
  }
  begin_segment(s); /* the end of the last one */
}

/* ---- Creation ------------------------------------------------------------------------------------ */

/* Huge plans do without the steps and the slots that it needs. */
static int is_possible(const bdag_plan *plan) {
  if (plan->union_slot == NULL && plan->unions > 0) return 0;
  for (uint32_t i = 0; i < plan->runs; i++)
    if (plan->run[i].activation >= BDAG_ACTIVATION_REGISTERED) return 0;
  return 1;
}

/* For a team only where it gains; then the steps have been counted. */
static void choose_threads(sharing *s) {
  const bdag_engine *engine = s->engine;
  s->threads = engine->options.threads;
  if (engine->options.axis == BDAG_AXIS_SERIAL || engine->options.axis == BDAG_AXIS_TILES)
    s->threads = 1;
  if (s->threads > 1) find_costs(s);
  const double most = (double)engine->plan->slot_count * fmax(s->dense[0], s->listed[0]);
  if (s->threads > 1 && most > engine->team_seconds) {
    add_all(s);
    if (engine->team_seconds + s->seconds[1] < WORTHWHILE * s->seconds[0]) return;
  }
  s->threads = 1;
  add_all(s);
}

static void *claim(bdag_engine *engine, uint64_t count, size_t size) {
  engine->bytes += count * size;
  return bdag_allocate_zeroed(engine->context, count, size);
}

int bdag_single_create(bdag_engine *engine) {
  const bdag_plan *plan = engine->plan;
  if (!is_possible(plan)) return 0;
  sharing s = {.engine = engine};
  choose_threads(&s);
  const uint64_t numbers = (uint64_t)plan->rows + BDAG_SINGLE_ROOM;
  engine->single_threads = s.threads;
  engine->single_stages = (uint32_t)(s.segments / s.threads);
  engine->single_segment = claim(engine, s.segments, sizeof *engine->single_segment);
  engine->single_meeting = claim(engine, engine->single_stages, sizeof *engine->single_meeting);
  engine->single_steps = s.list.count;
  engine->single_step = claim(engine, s.list.count, sizeof *engine->single_step);
  engine->single_out = claim(engine, numbers, engine->element);
  engine->single_in = claim(engine, numbers, engine->element);
  if (engine->single_segment == NULL || engine->single_meeting == NULL ||
      engine->single_step == NULL || engine->single_out == NULL || engine->single_in == NULL)
    return -1;
  add_all(&s);
  return 0;
}
