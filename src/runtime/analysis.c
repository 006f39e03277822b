/* Work and span of the passes of a trace. The records of a pass fall into stages, each of which waits for
 * the one before; within a stage, into units that run at the same time, or that depend on each other as
 * the plan's tasks do. May include plan and below. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "runtime/trace_internal.h"

enum { PREPARATION, WHOLE_BATCH, BEFORE, TASKS, AFTER, REDUCTION, TIED, STAGES };

/* One record of the pass at hand, in the order of stages and units. */
typedef struct bdag_piece {
  const bdag_trace_entry *entry;
  uint64_t index; /* of the record */
  uint64_t unit;
  uint32_t thread;
  uint32_t stage;
} bdag_piece;

/* What an analysis works with; arrays are made once for all passes. */
typedef struct bdag_study {
  const bdag_trace *trace;
  double release;
  uint64_t *offset;  /* [passes + 1] pieces of each */
  bdag_piece *piece; /* [records] */
  uint64_t *chain;   /* [most tiles of a pass] that a tile belongs to */
  double *cost, *finish;
  uint32_t *from;             /* [most tasks] */
  uint8_t *marked;            /* [records] on the critical path */
  uint8_t *best;              /* [records] the same for the better of two axes */
  uint64_t *begin, *end;      /* [most tasks] */
  uint64_t *last_piece;       /* [most tasks] */
  bdag_release *release_list; /* [records] measured */
  uint64_t releases;
  double *seconds; /* [records] */
} bdag_study;

typedef struct bdag_finding {
  double work, span, burdened;
  uint64_t units;
} bdag_finding;

static double duration(const bdag_piece *piece) {
  return 1e-9 * (double)(piece->entry->end - piece->entry->begin);
}

static int is_task(const bdag_trace_entry *entry) {
  return entry->task != BDAG_NO_TASK;
}

/* ---- Stages and units ----------------------------------------------------------------------------- */

static uint32_t stage_of(const bdag_trace_entry *entry, const bdag_trace_pass *pass,
                         bdag_axis axis) {
  switch ((bdag_trace_kind)entry->kind) {
  case BDAG_TRACE_PREPARE:
    return PREPARATION;
  case BDAG_TRACE_REDUCE:
    return entry->group == 0 ? REDUCTION : TIED;
  case BDAG_TRACE_LOSS:
    if (entry->tiles == pass->tiles && pass->tiles > 1) return WHOLE_BATCH;
    return axis == BDAG_AXIS_TILES ? TASKS : BEFORE;
  case BDAG_TRACE_LOAD:
    return axis == BDAG_AXIS_TILES ? TASKS : BEFORE;
  case BDAG_TRACE_STORE:
    return axis == BDAG_AXIS_TILES ? TASKS : AFTER;
  default:
    return TASKS;
  }
}

/* Which tiles are worked off one after the other: chunks, or all of a gradient buffer where the buffers
 * are fixed. */
static void find_chains(bdag_study *study, const bdag_trace_pass *pass, uint64_t first,
                        uint64_t end) {
  const int by_group = study->trace->deterministic && pass->kind == BDAG_PASS_BACKWARD;
  int any = 0;
  for (uint64_t t = 0; t < pass->tiles; t++) study->chain[t] = UINT64_MAX;
  for (uint64_t i = first; i < end; i++) {
    const bdag_trace_entry *entry = study->piece[i].entry;
    if (!is_task(entry)) continue;
    study->chain[entry->first_tile] = by_group ? entry->group : entry->first_tile;
    any = 1;
  }
  for (uint64_t t = 0; t < pass->tiles; t++)
    if (study->chain[t] == UINT64_MAX) study->chain[t] = any && t > 0 ? study->chain[t - 1] : t;
}

/* Parts of a tile, in a forward pass, do not wait for each other. */
static uint64_t part_of(const bdag_trace_entry *entry, const bdag_trace_pass *pass) {
  return pass->kind == BDAG_PASS_FORWARD ? entry->group : 0;
}

static uint64_t unit_of(const bdag_study *study, const bdag_trace_pass *pass,
                        const bdag_piece *piece, bdag_axis axis) {
  const bdag_trace_entry *entry = piece->entry;
  if (axis == BDAG_AXIS_TILES && piece->stage == TASKS && entry->tiles > 0)
    return study->chain[entry->first_tile] + part_of(entry, pass) * pass->tiles;
  if (is_task(entry)) return entry->task;
  return entry->tiles > 0 ? entry->first_tile : piece->index;
}

static int compare_pieces(const void *a, const void *b) {
  const bdag_piece *left = a, *right = b;
  if (left->stage != right->stage) return left->stage < right->stage ? -1 : 1;
  if (left->unit != right->unit) return left->unit < right->unit ? -1 : 1;
  return (left->entry->begin > right->entry->begin) - (left->entry->begin < right->entry->begin);
}

static void arrange(bdag_study *study, const bdag_trace_pass *pass, bdag_axis axis, uint64_t first,
                    uint64_t end) {
  if (axis == BDAG_AXIS_TILES) find_chains(study, pass, first, end);
  for (uint64_t i = first; i < end; i++) {
    bdag_piece *piece = &study->piece[i];
    piece->stage = stage_of(piece->entry, pass, axis);
    piece->unit = unit_of(study, pass, piece, axis);
  }
  qsort(study->piece + first, end - first, sizeof *study->piece, compare_pieces);
}

static uint64_t end_of_stage(const bdag_study *study, uint64_t first, uint64_t end) {
  uint64_t i = first;
  while (i < end && study->piece[i].stage == study->piece[first].stage) i++;
  return i;
}

static uint64_t end_of_unit(const bdag_study *study, uint64_t first, uint64_t end) {
  uint64_t i = first;
  while (i < end && study->piece[i].unit == study->piece[first].unit) i++;
  return i;
}

/* ---- Span ----------------------------------------------------------------------------------------- */

static void mark(bdag_study *study, uint64_t first, uint64_t end) {
  for (uint64_t i = first; i < end; i++) study->marked[study->piece[i].index] = 1;
}

/* Tiles of a chain that more threads would share out among them; 1 where they may not. */
static uint64_t tiles_of_chain(const bdag_study *study, const bdag_trace_pass *pass,
                               uint64_t unit) {
  const int by_group = study->trace->deterministic && pass->kind == BDAG_PASS_BACKWARD;
  if (by_group) return 1;
  const uint64_t chain = unit % pass->tiles;
  uint64_t tile = chain;
  while (tile < pass->tiles && study->chain[tile] == chain) tile++;
  return tile > chain ? tile - chain : 1;
}

/* Units that do not depend on each other: the longest. */
static double span_of_units(bdag_study *study, const bdag_trace_pass *pass, bdag_axis axis,
                            uint64_t first, uint64_t end) {
  const int chained = axis == BDAG_AXIS_TILES && study->piece[first].stage == TASKS;
  double longest = -1;
  uint64_t best_first = first, best_end = first;
  for (uint64_t i = first; i < end;) {
    const uint64_t next = end_of_unit(study, i, end);
    double sum = 0;
    for (uint64_t k = i; k < next; k++) sum += duration(&study->piece[k]);
    if (chained) sum /= (double)tiles_of_chain(study, pass, study->piece[i].unit);
    if (sum > longest) {
      longest = sum;
      best_first = i;
      best_end = next;
    }
    i = next;
  }
  mark(study, best_first, best_end);
  return longest;
}

static int by_tasks(bdag_axis axis) {
  return axis == BDAG_AXIS_VERTICES || axis == BDAG_AXIS_BOTH;
}

static const bdag_task_graph *graph_of(const bdag_study *study, const bdag_trace_pass *pass) {
  const bdag_plan *plan = study->trace->plan;
  return pass->kind == BDAG_PASS_BACKWARD ? &plan->backward : &plan->forward;
}

static double span_of_tasks(bdag_study *study, const bdag_task_graph *graph, int both,
                            uint64_t first, uint64_t end, double *burdened) {
  uint32_t last;
  for (uint32_t t = 0; t < graph->count; t++) study->cost[t] = 0;
  for (uint64_t i = first; i < end; i++) {
    double *cost = &study->cost[study->piece[i].unit];
    /* tiles of a task run at the same time, or one after the other */
    *cost = both ? fmax(*cost, duration(&study->piece[i])) : *cost + duration(&study->piece[i]);
  }
  *burdened =
      bdag_longest_path(graph, study->cost, study->release, study->finish, study->from, &last);
  const double span = bdag_longest_path(graph, study->cost, 0, study->finish, study->from, &last);
  for (; last != BDAG_NO_TASK; last = study->from[last]) study->cost[last] = -1; /* on the path */
  for (uint64_t i = first; i < end; i++)
    if (study->cost[study->piece[i].unit] < 0) mark(study, i, i + 1);
  return span;
}

static bdag_finding study_pass(bdag_study *study, const bdag_trace_pass *pass, bdag_axis axis,
                               uint64_t first, uint64_t end) {
  bdag_finding found = {0};
  arrange(study, pass, axis, first, end);
  for (uint64_t i = first; i < end;) {
    const uint64_t next = end_of_stage(study, i, end);
    double burdened;
    for (uint64_t k = i; k < next; k++) {
      found.work += duration(&study->piece[k]);
      found.units += k == i || study->piece[k].unit != study->piece[k - 1].unit;
    }
    if (by_tasks(axis) && is_task(study->piece[i].entry))
      found.span +=
          span_of_tasks(study, graph_of(study, pass), axis == BDAG_AXIS_BOTH, i, next, &burdened);
    else
      found.span += burdened = span_of_units(study, pass, axis, i, next);
    found.burdened += burdened + (i > first ? study->release : 0);
    i = next;
  }
  if (axis != BDAG_AXIS_SERIAL) return found;
  mark(study, first, end);
  found.span = found.burdened = found.work;
  return found;
}

/* A serial pass says what either axis would give: the better one. */
static bdag_finding study_serial(bdag_study *study, const bdag_trace_pass *pass, bdag_axis *axis,
                                 uint64_t first, uint64_t end) {
  const bdag_finding tiles = study_pass(study, pass, BDAG_AXIS_TILES, first, end);
  for (uint64_t i = first; i < end; i++) {
    const uint64_t index = study->piece[i].index;
    study->best[index] = study->marked[index];
    study->marked[index] = 0;
  }
  const bdag_finding vertices = study_pass(study, pass, BDAG_AXIS_VERTICES, first, end);
  *axis = vertices.burdened < tiles.burdened ? BDAG_AXIS_VERTICES : BDAG_AXIS_TILES;
  if (*axis == BDAG_AXIS_VERTICES) return vertices;
  for (uint64_t i = first; i < end; i++)
    study->marked[study->piece[i].index] = study->best[study->piece[i].index];
  return tiles;
}

/* ---- Release latency ------------------------------------------------------------------------------ */

/* Whether the thread of a piece had nothing else to do at that time. */
static int was_idle(const bdag_piece *piece, const bdag_study *study, uint64_t time) {
  const bdag_trace_lane *lane = &study->trace->lane[piece->thread];
  return piece->entry == lane->entry || piece->entry[-1].end <= time;
}

static void note_release(bdag_study *study, const bdag_piece *from, const bdag_piece *to) {
  const uint64_t over = from->entry->end;
  if (from->thread == to->thread || to->entry->begin < over) return;
  study->release_list[study->releases++] =
      (bdag_release){.from = from->index,
                     .to = to->index,
                     .idle = was_idle(to, study, over),
                     .seconds = 1e-9 * (double)(to->entry->begin - over)};
}

/* Tasks that a task on another thread released. */
static void measure_tasks(bdag_study *study, const bdag_task_graph *graph, uint64_t first,
                          uint64_t end) {
  for (uint32_t t = 0; t < graph->count; t++) {
    study->end[t] = study->begin[t] = 0;
    study->from[t] = BDAG_NO_TASK;
  }
  for (uint64_t i = first; i < end; i++) {
    study->end[study->piece[i].unit] = study->piece[i].entry->end;
    study->last_piece[study->piece[i].unit] = i;
  }
  for (uint32_t t = 0; t < graph->count; t++)
    for (uint64_t i = graph->offset[t]; i < graph->offset[t + 1]; i++) {
      const uint32_t successor = graph->successor[i];
      if (study->end[t] <= study->begin[successor]) continue;
      study->begin[successor] = study->end[t]; /* when it may begin */
      study->from[successor] = t;
    }
  for (uint64_t i = first; i < end; i = end_of_unit(study, i, end)) {
    const uint32_t from = study->from[study->piece[i].unit];
    if (from != BDAG_NO_TASK)
      note_release(study, &study->piece[study->last_piece[from]], &study->piece[i]);
  }
}

/* The first pieces of other threads once a stage is over. */
static void measure_stage(bdag_study *study, uint64_t before, uint64_t first, uint64_t end) {
  uint64_t last = before;
  for (uint64_t i = before; i < first; i++)
    if (study->piece[i].entry->end > study->piece[last].entry->end) last = i;
  for (uint64_t i = first; i < end; i++)
    if (was_idle(&study->piece[i], study, study->piece[last].entry->end))
      note_release(study, &study->piece[last], &study->piece[i]);
}

static void measure_pass(bdag_study *study, const bdag_trace_pass *pass, uint64_t first,
                         uint64_t end) {
  if (pass->threads < 2) return;
  arrange(study, pass, pass->axis, first, end);
  for (uint64_t before = first, i = first; i < end;) {
    const uint64_t next = end_of_stage(study, i, end);
    if (by_tasks(pass->axis) && is_task(study->piece[i].entry))
      measure_tasks(study, graph_of(study, pass), i, next);
    else if (i > first)
      measure_stage(study, before, i, next);
    before = i;
    i = next;
  }
}

/* ---- All passes ----------------------------------------------------------------------------------- */

static int make_room(bdag_study *study) {
  const bdag_trace *trace = study->trace;
  const bdag_context *context = trace->context;
  const uint64_t records = bdag_trace_record_count(trace);
  const uint32_t forward = trace->plan->forward.count, backward = trace->plan->backward.count;
  const uint32_t tasks = forward > backward ? forward : backward;
  uint64_t tiles = 0;
  for (uint32_t p = 0; p < trace->passes; p++)
    if (trace->pass[p].tiles > tiles) tiles = trace->pass[p].tiles;
  study->offset = bdag_allocate_zeroed(context, (uint64_t)trace->passes + 2, sizeof *study->offset);
  study->piece = bdag_allocate_array(context, records, sizeof *study->piece);
  study->chain = bdag_allocate_array(context, tiles, sizeof *study->chain);
  study->cost = bdag_allocate_array(context, tasks, sizeof *study->cost);
  study->finish = bdag_allocate_array(context, tasks, sizeof *study->finish);
  study->from = bdag_allocate_array(context, tasks, sizeof *study->from);
  study->marked = bdag_allocate_zeroed(context, records, 1);
  study->best = bdag_allocate_zeroed(context, records, 1);
  study->begin = bdag_allocate_array(context, tasks, sizeof *study->begin);
  study->end = bdag_allocate_array(context, tasks, sizeof *study->end);
  study->last_piece = bdag_allocate_array(context, tasks, sizeof *study->last_piece);
  study->seconds = bdag_allocate_array(context, records, sizeof *study->seconds);
  study->release_list = bdag_allocate_array(context, records, sizeof *study->release_list);
  return study->offset == NULL || study->piece == NULL || study->chain == NULL ||
         study->cost == NULL || study->finish == NULL || study->from == NULL ||
         study->marked == NULL || study->best == NULL || study->begin == NULL ||
         study->end == NULL || study->last_piece == NULL || study->release_list == NULL ||
         study->seconds == NULL;
}

static void release_room(bdag_study *study) {
  const bdag_context *context = study->trace->context;
  bdag_free(context, study->offset);
  bdag_free(context, study->piece);
  bdag_free(context, study->chain);
  bdag_free(context, study->cost);
  bdag_free(context, study->finish);
  bdag_free(context, study->from);
  bdag_free(context, study->marked);
  bdag_free(context, study->best);
  bdag_free(context, study->begin);
  bdag_free(context, study->end);
  bdag_free(context, study->last_piece);
  bdag_free(context, study->release_list);
  bdag_free(context, study->seconds);
}

/* Pieces by pass. */
static void sort_out(bdag_study *study) {
  const bdag_trace *trace = study->trace;
  for (uint32_t l = 0; l < trace->lanes; l++)
    for (uint64_t i = 0; i < trace->lane[l].count; i++)
      study->offset[trace->lane[l].entry[i].pass + 2]++;
  for (uint32_t p = 0; p < trace->passes; p++) study->offset[p + 2] += study->offset[p + 1];
  uint64_t index = 0;
  for (uint32_t l = 0; l < trace->lanes; l++)
    for (uint64_t i = 0; i < trace->lane[l].count; i++) {
      const bdag_trace_entry *entry = &trace->lane[l].entry[i];
      study->piece[study->offset[entry->pass + 1]++] =
          (bdag_piece){.entry = entry, .index = index++, .thread = l};
    }
}

static void measure_all(bdag_study *study) {
  const bdag_trace *trace = study->trace;
  for (uint32_t p = 0; p < trace->passes; p++)
    if (trace->pass[p].end != 0)
      measure_pass(study, &trace->pass[p], study->offset[p], study->offset[p + 1]);
}

static double measured_release(bdag_study *study, uint64_t *count) {
  double *const seconds = study->seconds;
  measure_all(study);
  *count = 0;
  for (uint64_t i = 0; i < study->releases; i++)
    if (study->release_list[i].idle) seconds[(*count)++] = study->release_list[i].seconds;
  return bdag_median(seconds, *count);
}

bdag_status bdag_trace_find_releases(const bdag_trace *trace, bdag_release **list,
                                     uint64_t *count) {
  bdag_study study = {.trace = trace};
  const int failed = make_room(&study);
  *list = NULL;
  if (!failed) {
    sort_out(&study);
    measure_all(&study);
    *list = study.release_list;
    *count = study.releases;
    study.release_list = NULL;
  }
  release_room(&study);
  return failed ? BDAG_ERROR_OUT_OF_MEMORY : BDAG_OK;
}

static void add_pass(bdag_study *study, uint32_t p, bdag_axis wanted, bdag_analysis *analysis) {
  const bdag_trace_pass *pass = &study->trace->pass[p];
  const uint64_t first = study->offset[p], end = study->offset[p + 1];
  bdag_axis axis = wanted == BDAG_AXIS_AUTO ? pass->axis : wanted;
  const bdag_finding found = wanted == BDAG_AXIS_AUTO && axis == BDAG_AXIS_SERIAL
                                 ? study_serial(study, pass, &axis, first, end)
                                 : study_pass(study, pass, axis, first, end);
  const double wall = 1e-9 * (double)(pass->end - pass->begin);
  analysis->axis = analysis->passes == 0 || analysis->axis == axis ? axis : BDAG_AXIS_AUTO;
  analysis->passes++;
  analysis->records += end - first;
  analysis->tasks += found.units;
  analysis->work += found.work;
  analysis->span += found.span;
  analysis->burdened_span += found.burdened;
  analysis->wall += wall;
  analysis->overhead += wall * pass->threads - found.work;
  if (pass->threads > analysis->threads) analysis->threads = pass->threads;
}

typedef struct bdag_path_step {
  uint64_t begin, index;
} bdag_path_step;

static int compare_steps(const void *a, const void *b) {
  const bdag_path_step *left = a, *right = b;
  return (left->begin > right->begin) - (left->begin < right->begin);
}

static int list_path(bdag_study *study, uint64_t *path, uint64_t *length) {
  const bdag_trace *trace = study->trace;
  uint64_t count = 0, index = 0;
  bdag_path_step *step =
      bdag_allocate_array(trace->context, bdag_trace_record_count(trace), sizeof *step);
  if (step == NULL) return -1;
  for (uint32_t l = 0; l < trace->lanes; l++)
    for (uint64_t i = 0; i < trace->lane[l].count; i++, index++)
      if (study->marked[index])
        step[count++] = (bdag_path_step){trace->lane[l].entry[i].begin, index};
  qsort(step, count, sizeof *step, compare_steps);
  for (uint64_t i = 0; path != NULL && i < count; i++) path[i] = step[i].index;
  *length = count;
  bdag_free(trace->context, step);
  return 0;
}

bdag_status bdag_trace_analyse(const bdag_trace *trace, const bdag_analysis_options *options,
                               bdag_analysis *analysis, uint64_t *path) {
  static const bdag_analysis_options defaults = BDAG_ANALYSIS_OPTIONS_INIT;
  if (options == NULL) options = &defaults;
  if (trace == NULL || analysis == NULL || analysis->size != sizeof *analysis ||
      options->size != sizeof *options || (unsigned)options->axis > BDAG_AXIS_BOTH)
    return BDAG_ERROR_INVALID_ARGUMENT;
  bdag_study study = {.trace = trace};
  bdag_analysis found = {.size = sizeof found, .dropped = bdag_trace_dropped(trace)};
  bdag_status status = BDAG_ERROR_OUT_OF_MEMORY;
  if (make_room(&study)) goto done;
  sort_out(&study);
  study.release = found.release =
      options->release < 0 ? measured_release(&study, &found.releases) : options->release;
  for (uint32_t p = 0; p < trace->passes; p++)
    if (trace->pass[p].end != 0) add_pass(&study, p, options->axis, &found);
  if (list_path(&study, path, &found.path_length) != 0) goto done;
  status = found.passes > 0 ? BDAG_OK : BDAG_ERROR_ORDER;
  if (found.passes == 0) goto done;
  found.parallelism = found.burdened_span > 0 ? found.work / found.burdened_span : 1;
  found.mean_task = found.tasks > 0 ? found.work / (double)found.tasks : 0;
  *analysis = found;
done:
  release_room(&study);
  return status;
}

double bdag_analysis_predict(const bdag_analysis *analysis, uint32_t threads) {
  if (threads <= 1) return analysis->work;
  return (analysis->work - analysis->span) / threads + analysis->burdened_span;
}
