/* Who does what in the forward pass of one sample. A large network is worth a team also then, mostly because
 * the weights that one core's caches cannot hold are spread over those of several. Blocks that do not depend
 * on each other make a stage; its blocks, and large panels by columns, are shared out once and for all, so
 * that each weight is always read by the same thread. May include plan and below. */
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
  uint32_t threads, turns;
  double dense[2], listed[2]; /* seconds an edge: alone, and shared */
  double meeting;
  double seconds[2]; /* of the whole pass: alone, and shared */
  bdag_single_list list;
  uint64_t segments; /* [stages][threads] */
} sharing;

typedef struct stage {
  uint32_t first, end; /* blocks */
  int shared, split;   /* split: some are panels that all threads take part in */
} stage;

/* ---- Costs --------------------------------------------------------------------------------------- */

static block_work work_of(const bdag_plan *plan, const bdag_block *block) {
  block_work work = {0};
  for (uint32_t p = block->panel; p < block->panel + block->panels; p++)
    work.dense += (double)plan->panel[p].sources * plan->panel[p].targets;
  for (uint32_t p = block->first_union; p < block->first_union + block->unions; p++)
    work.listed += (double)plan->union_panel[p].sources * plan->union_panel[p].targets;
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

/* A dense weight costs its bytes, one of a list what 16 samples in a row cost. Columns of a panel lie as far
 * apart as its rows are long and hit only as large a share of a cache; where weights of all threads do not
 * fit such shares, threads change columns on the way. */
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
  const double cache = CACHE_SHARE * (double)engine->context->machine.l2;
  s->turns = 1;
  if (share <= cache) s->turns = (uint32_t)fmin(ceil(bytes / cache), s->threads);
  if (s->turns < 1) s->turns = 1;
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
    if (part->sources > 0 && plan->source[part->list + part->sources - 1] >= row) return 1;
  }
  for (uint32_t r = block->row; r < block->row + block->rows; r++) {
    const uint64_t end = plan->list_offset[r + 1];
    if (end == plan->list_offset[r]) continue;
    const uint32_t last = plan->list_source[end - 1];
    if (last >= row && last < block->row) return 1;
  }
  return 0;
}

static int splits(const sharing *s, const bdag_block *block) {
  const bdag_plan *plan = s->engine->plan;
  if (!bdag_single_is_panel(plan, block) || block->rows < 2 * BDAG_ROW_QUANTUM) return 0;
  const block_work work = work_of(plan, block);
  return seconds_of(s, work, 0) - seconds_of(s, work, 1) > s->meeting * s->turns;
}

/* Blocks from `first` on that do not depend on each other. */
static stage find_level(const sharing *s, uint32_t first) {
  const bdag_plan *plan = s->engine->plan;
  stage level = {.first = first, .end = first};
  block_work work = {0};
  for (; level.end < plan->blocks; level.end++) {
    const bdag_block *block = &plan->block[level.end];
    if (level.end > first && reads_from(plan, block, plan->block[first].row)) break;
    const block_work one = work_of(plan, block);
    work.dense += one.dense;
    work.listed += one.listed;
    level.split |= splits(s, block);
  }
  const double gain = seconds_of(s, work, 0) - seconds_of(s, work, 1);
  level.shared = (level.split || level.end - first > 1) &&
                 gain > 2 * s->meeting * (level.split ? s->turns : 1);
  return level;
}

/* A level that is shared, or all levels up to the next such one. */
static stage find_stage(const sharing *s, uint32_t first) {
  stage found = find_level(s, first);
  while (!found.shared && found.end < s->engine->plan->blocks) {
    const stage level = find_level(s, found.end);
    if (level.shared) break;
    found.end = level.end;
  }
  return found;
}

/* ---- Steps --------------------------------------------------------------------------------------- */

static void begin_segment(sharing *s) {
  if (s->engine->single_segment != NULL) s->engine->single_segment[s->segments] = s->list.count;
  s->segments++;
}

/* One after the other, as nearly equal shares as blocks allow. */
static uint32_t add_share(sharing *s, const stage *stage, uint32_t block, double *done,
                          double until) {
  const bdag_plan *plan = s->engine->plan;
  for (; block < stage->end; block++) {
    if (splits(s, &plan->block[block])) continue;
    const double seconds = seconds_of(s, work_of(plan, &plan->block[block]), 0);
    if (*done + seconds / 2 > until) break;
    *done += seconds;
    bdag_single_add_block(&s->list, &plan->block[block]);
  }
  return block;
}

static double seconds_of_whole(const sharing *s, const stage *stage) {
  const bdag_plan *plan = s->engine->plan;
  double seconds = 0;
  for (uint32_t b = stage->first; b < stage->end; b++)
    if (!splits(s, &plan->block[b])) seconds += seconds_of(s, work_of(plan, &plan->block[b]), 0);
  return seconds;
}

static void add_turn(sharing *s, const stage *stage, uint32_t turn, uint32_t turns) {
  const bdag_plan *plan = s->engine->plan;
  const double whole = turn == 0 ? seconds_of_whole(s, stage) : 0;
  uint32_t block = stage->first;
  double done = 0;
  for (uint32_t t = 0; t < s->threads; t++) {
    begin_segment(s);
    const double until = t + 1 < s->threads ? whole * (t + 1) / s->threads : INFINITY;
    if (turn == 0) block = add_share(s, stage, block, &done, until);
    const bdag_single_part part = {(t + turn) % s->threads, s->threads, turn, turns};
    for (uint32_t b = stage->first; b < stage->end && stage->split; b++)
      if (splits(s, &plan->block[b])) bdag_single_add_part(&s->list, &plan->block[b], &part);
  }
}

static void add_stage(sharing *s, const stage *stage) {
  const bdag_plan *plan = s->engine->plan;
  block_work work = {0};
  for (uint32_t b = stage->first; b < stage->end; b++) {
    const block_work one = work_of(plan, &plan->block[b]);
    work.dense += one.dense;
    work.listed += one.listed;
  }
  const uint32_t turns = stage->shared && stage->split ? s->turns : 1;
  s->seconds[0] += seconds_of(s, work, 0);
  s->seconds[1] += s->meeting * turns + seconds_of(s, work, stage->shared);
  if (stage->shared) {
    for (uint32_t turn = 0; turn < turns; turn++) add_turn(s, stage, turn, turns);
    return;
  }
  begin_segment(s);
  for (uint32_t b = stage->first; b < stage->end; b++)
    bdag_single_add_block(&s->list, &plan->block[b]);
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

static int is_possible(const bdag_plan *plan) {
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
  if (s->threads > 1) {
    find_costs(s);
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
