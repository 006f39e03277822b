/* Which axis of parallelism a pass takes, and how many groups of tiles add up to its gradient.
 * May include plan and below. */
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <strings.h>

#include "base/costs.h"
#include "runtime/engine_internal.h"

/* ---- Groups -------------------------------------------------------------------------------------- */

static uint64_t round_up(uint64_t count, uint64_t step) {
  return (count + step - 1) / step * step;
}

/* As many tiles a group as a task's rows stay in cache for, but groups for all threads that take whole
 * groups; in deterministic mode for two, because none may depend on their number. */
uint32_t bdag_engine_choose_groups(const bdag_engine *engine, uint64_t tiles, bdag_axis axis) {
  const uint64_t chunks = (tiles + engine->chunk_tiles - 1) / engine->chunk_tiles;
  const uint64_t given = engine->plan->options.accumulation_groups;
  const uint64_t threads = engine->options.threads;
  uint64_t groups = chunks;
  if (engine->options.deterministic)
    groups = given != 0 ? given : round_up(chunks, 2);
  else if (axis == BDAG_AXIS_TILES)
    groups = round_up(chunks, threads);
  else if (axis == BDAG_AXIS_BOTH && groups < threads)
    groups = threads;
  if (groups <= tiles) return (uint32_t)groups;
  const int even = !engine->options.deterministic && axis == BDAG_AXIS_TILES && tiles > threads;
  return (uint32_t)(even ? tiles - tiles % threads : tiles);
}

uint32_t bdag_engine_choose_copies(const bdag_engine *engine, uint64_t groups) {
  const uint32_t threads = engine->options.threads;
  return groups < threads ? (uint32_t)groups : threads;
}

/* ---- The cost model ------------------------------------------------------------------------------ */

/* Seconds to wake a team whose threads sleep; no interface tells whether they do, so the environment must.
 * Measured: 8e-6 in a virtual machine; more where processors sleep deeply. */
#define WAKE 25e-6
/* Rows that another core wrote cost more: in dense panels they are read for many targets at once, in lists
 * for one. */
#define FOREIGN_DENSE  1.03
#define FOREIGN_LISTS  1.7
#define FOREIGN_STAGES 1.45
/* A sample of a narrow tile costs more: each edge's weight and indices are read for fewer. */
#define NARROW      1.4
#define NARROW_ROWS 8u
/* The same for parts of tiles in the forward pass, which ends without turns. */
#define NARROW_PARTS 1.3
/* Of the team's costs, those of a meeting. */
#define MEETING 0.1
/* A team must gain that share, or the calling thread works alone. */
#define WORTHWHILE 0.9

double bdag_team_seconds(const bdag_context *context, uint32_t threads) {
  const char *policy = getenv("OMP_WAIT_POLICY");
  const int sleeps = (policy != NULL && strcasecmp(policy, "passive") == 0) ||
                     bdag_scheduler_patience(context, threads) <= 1;
  return sleeps ? WAKE : context->costs.team;
}

/* Edges that are not in panels. */
static double listed_edges(const bdag_plan *plan) {
  uint64_t dense = 0;
  for (uint32_t p = 0; p < plan->panels; p++)
    dense += (uint64_t)plan->panel[p].sources * plan->panel[p].targets;
  return dense < plan->edges ? (double)(plan->edges - dense) : 0;
}

/* Bundles and segments lose too much by short rows, and groups of few rows cost the same for any length. */
static uint64_t swept_edges(const bdag_plan *plan) {
  uint64_t edges = 0;
  for (uint32_t i = 0; i < plan->sweeps; i++) {
    const bdag_sweep_group *group = &plan->sweep[i];
    if (group->bundles == 0 && !group->continues && group->rows >= NARROW_ROWS)
      edges += group->slots;
  }
  return edges;
}

int bdag_engine_narrows(const bdag_engine *engine) {
  const bdag_plan *plan = engine->plan;
  return swept_edges(plan) * 2 > plan->edges &&
         bdag_context_at_once(engine->context, engine->options.threads) > 1 &&
         plan->edges * engine->options.max_batch >= bdag_costs_serial_work(engine->context);
}

int bdag_engine_cuts(const bdag_engine *engine, uint64_t tiles, uint32_t threads) {
  return engine->cuts_tiles && tiles < threads;
}

void bdag_engine_estimate(bdag_engine *engine) {
  const bdag_plan *plan = engine->plan;
  const bdag_cost_profile *costs = &engine->context->costs;
  const double lists = listed_edges(plan), dense = (double)plan->edges - lists;
  const double list = engine->tile <= BDAG_NARROW_TILE ? NARROW : 1;
  const double samples = engine->tile * (engine->element / (double)sizeof(float));
  engine->tile_seconds[0] =
      2 * samples * (dense * costs->dense_forward + list * lists * costs->list_forward);
  engine->tile_seconds[1] =
      4 * samples * (dense * costs->dense_backward + list * lists * costs->list_backward);
  const double listed = lists / (double)(plan->edges + 1);
  engine->foreign = FOREIGN_DENSE + listed * (FOREIGN_LISTS - FOREIGN_DENSE);
  engine->mostly_lists = listed > 0.5;
  engine->team_seconds = bdag_team_seconds(engine->context, engine->options.threads);
  engine->cuts_tiles =
      engine->options.threads > 1 && engine->tile > BDAG_NARROW_TILE && bdag_engine_narrows(engine);
}

static double cores_of(const bdag_engine *engine) {
  return bdag_context_at_once(engine->context, engine->options.threads);
}

static double seconds_by_parts(const bdag_engine *engine, uint64_t tiles) {
  const double part = (double)BDAG_NARROW_TILE / engine->tile;
  const double share = ceil((double)tiles * ceil(1 / part) / cores_of(engine));
  return engine->team_seconds + share * part * NARROW_PARTS * engine->tile_seconds[0];
}

static double seconds_by_tiles(const bdag_engine *engine, uint64_t tiles, int backward) {
  if (!backward && bdag_engine_cuts(engine, tiles, engine->options.threads))
    return seconds_by_parts(engine, tiles);
  const double rate = engine->context->costs.bytes_per_second[2];
  const uint64_t groups =
      backward ? bdag_engine_choose_groups(engine, tiles, BDAG_AXIS_TILES) : tiles;
  const double share =
      ceil((double)groups / cores_of(engine)) * ceil((double)tiles / (double)groups);
  const double seconds = engine->team_seconds + share * engine->tile_seconds[backward];
  if (!backward || rate == 0) return seconds;
  /* each further group reads and writes the gradient once more */
  const double bytes = 2.0 * (double)(groups - 1) * (double)engine->plan->slot_count;
  return seconds + bytes * (double)engine->element / rate / cores_of(engine);
}

/* R. L. Graham's bound for greedy schedules: work / P + span · (1 − 1 / P). */
static double seconds_by_vertices(const bdag_engine *engine, uint64_t tiles, int backward) {
  const bdag_task_graph *graph = backward ? &engine->plan->backward : &engine->plan->forward;
  const double cores = cores_of(engine), work = (double)tiles * engine->tile_seconds[backward];
  const double chain = graph->work > 0 ? (double)graph->span / (double)graph->work : 1;
  const double tasks = graph->count * engine->context->costs.task;
  return engine->team_seconds + tasks / cores +
         engine->foreign * work * (1 / cores + chain * (1 - 1 / cores));
}

/* The same with `copies` of each task, which only wait for the copy before. */
static double seconds_by_both(const bdag_engine *engine, uint64_t tiles, int backward) {
  const bdag_task_graph *graph = backward ? &engine->plan->backward : &engine->plan->forward;
  const uint64_t groups =
      backward ? bdag_engine_choose_groups(engine, tiles, BDAG_AXIS_BOTH) : tiles;
  const double copies = bdag_engine_choose_copies(engine, groups);
  const double cores = cores_of(engine), work = (double)tiles * engine->tile_seconds[backward];
  const double tasks = copies * graph->count;
  const double chain = graph->work > 0 ? (double)graph->span / (double)graph->work : 1;
  const double span = chain / copies + (backward ? (copies - 1) / (tasks + 1) : 0);
  return engine->team_seconds + tasks * engine->context->costs.task / cores +
         engine->foreign * work * (1 / cores + span * (1 - 1 / cores));
}

static double meeting_seconds(const bdag_engine *engine) {
  return MEETING * engine->context->costs.team;
}

static double seconds_by_stages(const bdag_engine *engine, uint64_t tiles, int backward) {
  const bdag_stages *stages = &engine->stages[backward];
  const double work = (double)tiles * engine->tile_seconds[backward];
  return engine->team_seconds + stages->count * meeting_seconds(engine) +
         FOREIGN_STAGES * work * stages->share;
}

static int share_tasks(bdag_engine *engine, int backward) {
  const bdag_plan *plan = engine->plan;
  const bdag_task_graph *graph = backward ? &plan->backward : &plan->forward;
  const bdag_task *task = backward ? plan->backward_task : plan->forward_task;
  bdag_stages *stages = &engine->stages[backward];
  const double threads = engine->options.threads;
  const double work = (double)engine->tiles * engine->tile_seconds[backward];
  const double edge = work / (double)(plan->edges + 1);
  if (bdag_stages_create(stages, engine->context, graph, task, engine->options.threads,
                         meeting_seconds(engine) / (edge * (1 - 1 / threads))))
    return -1;
  if (seconds_by_stages(engine, engine->tiles, backward) <
      seconds_by_vertices(engine, engine->tiles, backward))
    return 0;
  bdag_stages_destroy(stages, engine->context);
  *stages = (bdag_stages){0};
  return 0;
}

int bdag_engine_share_tasks(bdag_engine *engine) {
  const bdag_engine_options *options = &engine->options;
  const uint64_t work = engine->plan->edges * engine->tiles * engine->tile;
  if (options->threads == 1 || options->axis == BDAG_AXIS_TILES ||
      options->axis == BDAG_AXIS_BOTH || !engine->mostly_lists ||
      bdag_context_at_once(engine->context, options->threads) < options->threads ||
      work < bdag_costs_serial_work(engine->context))
    return 0;
  return share_tasks(engine, 0) || (engine->plan->has_loss && share_tasks(engine, 1)) ? -1 : 0;
}

bdag_axis bdag_engine_choose_axis(const bdag_engine *engine, uint64_t tiles, int backward) {
  if (engine->options.threads == 1 || omp_in_parallel()) return BDAG_AXIS_SERIAL;
  if (engine->options.axis != BDAG_AXIS_AUTO) return engine->options.axis;
  if (engine->plan->edges * tiles * engine->tile < bdag_costs_serial_work(engine->context))
    return BDAG_AXIS_SERIAL;
  const double alone = (double)tiles * engine->tile_seconds[backward];
  const double by_tiles = seconds_by_tiles(engine, tiles, backward);
  const double by_vertices = engine->stages[backward].count > 0
                                 ? seconds_by_stages(engine, tiles, backward)
                                 : seconds_by_vertices(engine, tiles, backward);
  const double by_both = seconds_by_both(engine, tiles, backward);
  const double best = fmin(by_both, fmin(by_tiles, by_vertices));
  if (best > WORTHWHILE * alone) return BDAG_AXIS_SERIAL;
  if (by_tiles <= best) return BDAG_AXIS_TILES;
  return by_vertices <= best ? BDAG_AXIS_VERTICES : BDAG_AXIS_BOTH;
}
