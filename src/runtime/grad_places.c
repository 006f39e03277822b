/* Places of gradient rows. Rows are cut into segments such that a task makes rows of one segment only, and
 * that the rows of one list, or of one panel, lie in one as well: then a whole segment is moved by a shift of
 * the rows' base, and the plan's lists stay as they are. A segment lives from the first task that makes one
 * of its rows, or from the beginning if Loss does, to the last that reads one; places are given first fit.
 * May include plan and below. */
#include "runtime/grad_places.h"

#include <string.h>

#include "base/memory.h"

/* Gaps that are remembered: more are not worth looking through. */
#define MOST_GAPS 64u
#define NO_TASK   UINT32_MAX

typedef struct bdag_segment {
  uint32_t row, rows, place;
  uint32_t born, last;           /* tasks; born NO_TASK: no row of it has a gradient */
  uint32_t next_born, next_last; /* another one with the same */
} bdag_segment;

typedef struct bdag_gap {
  uint32_t place, rows;
} bdag_gap;

typedef struct bdag_placing {
  const bdag_plan *plan;
  uint32_t
      *segment_of; /* [rows + 1]; at first how many ranges begin to join a row to the one before */
  bdag_segment *segment;
  uint32_t *born, *last; /* [tasks] first segment, or none */
  uint32_t segments;
  uint32_t top, most; /* places below `top` are taken, or gaps: */
  uint32_t gaps;
  bdag_gap gap[MOST_GAPS];
} bdag_placing;

/* Rows first … last; empty when first > last. */
typedef struct bdag_rows_between {
  uint32_t first, last;
} bdag_rows_between;

static void include(bdag_rows_between *between, uint32_t row) {
  if (row < between->first) between->first = row;
  if (row > between->last) between->last = row;
}

static bdag_rows_between own_rows(const bdag_plan *plan, const bdag_task *task) {
  bdag_rows_between own = {UINT32_MAX, 0};
  for (uint32_t i = task->first; i < task->first + task->count; i++)
    for (uint32_t r = 0; r < plan->sweep[i].rows; r++)
      include(&own, plan->sweep_row[plan->sweep[i].first + r]);
  return own;
}

/* Successors of a row ascend; those of a bundle, which stand at its first row, do only by ramps. */
static void include_listed(bdag_rows_between *between, const bdag_plan *plan,
                           const bdag_sweep_group *group) {
  for (uint64_t i = group->first; i < group->first + group->rows; i++) {
    const uint64_t begin = plan->sweep_offset[i], end = plan->sweep_offset[i + 1];
    if (begin == end) continue;
    include(between, plan->sweep_successor[begin]);
    include(between, plan->sweep_successor[end - 1]);
    for (uint64_t e = begin; group->bundles > 0 && e < end; e++)
      include(between, plan->sweep_successor[e]);
  }
}

static bdag_rows_between listed_rows(const bdag_plan *plan, const bdag_task *task) {
  bdag_rows_between listed = {UINT32_MAX, 0};
  for (uint32_t i = task->first; i < task->first + task->count; i++)
    include_listed(&listed, plan, &plan->sweep[i]);
  return listed;
}

/* ---- Segments ------------------------------------------------------------------------------------ */

static void join(bdag_placing *p, bdag_rows_between between) {
  if (between.first >= between.last) return;
  p->segment_of[between.first + 1]++;
  p->segment_of[between.last + 1]--;
}

static void join_rows(bdag_placing *p) {
  const bdag_plan *plan = p->plan;
  for (uint32_t t = 0; t < plan->backward_tasks; t++) {
    const bdag_task *task = &plan->backward_task[t];
    if (task->kind != BDAG_TASK_ROWS) continue;
    join(p, listed_rows(plan, task));
    if (!task->is_input) join(p, own_rows(plan, task));
  }
  for (uint32_t i = 0; i < plan->panels; i++) {
    const bdag_panel *panel = &plan->panel[i];
    join(p, (bdag_rows_between){panel->row, panel->row + panel->targets - 1});
  }
}

static int cut(bdag_placing *p) {
  const bdag_plan *plan = p->plan;
  uint32_t joined = 0, segments = 0;
  for (uint32_t row = 0; row < plan->rows; row++) {
    joined += p->segment_of[row];
    segments += joined == 0;
    p->segment_of[row] = segments - 1;
  }
  p->segments = segments;
  p->segment = bdag_allocate_array(plan->context, segments, sizeof *p->segment);
  if (p->segment == NULL) return -1;
  for (uint32_t i = 0; i < segments; i++)
    p->segment[i] = (bdag_segment){.row = UINT32_MAX, .born = NO_TASK};
  for (uint32_t row = 0; row < plan->rows; row++) {
    bdag_segment *segment = &p->segment[p->segment_of[row]];
    if (segment->rows++ == 0) segment->row = row;
  }
  return 0;
}

/* ---- Lives --------------------------------------------------------------------------------------- */

static bdag_segment *holder(const bdag_placing *p, uint32_t row) {
  return &p->segment[p->segment_of[row]];
}

/* Tasks come in their order. */
static void make(const bdag_placing *p, uint32_t row, uint32_t task) {
  bdag_segment *segment = holder(p, row);
  if (segment->born == NO_TASK) segment->born = task;
  segment->last = task;
}

static void read_panels(const bdag_placing *p, const bdag_task *task, uint32_t number) {
  for (uint32_t i = task->first; i < task->first + task->count; i++)
    holder(p, p->plan->panel[i].row)->last = number;
}

static void read_terms(const bdag_placing *p, const bdag_task *task, uint32_t number) {
  const bdag_plan *plan = p->plan;
  for (uint32_t i = task->pull; i < task->pull + task->pulls; i++)
    for (uint32_t k = 0; k < plan->pull[i].terms; k++)
      holder(p, plan->term[plan->pull[i].term + k].successor)->last = number;
}

static void find_lives(const bdag_placing *p) {
  const bdag_plan *plan = p->plan;
  for (uint32_t i = 0; i < plan->loss_row_count; i++) make(p, plan->loss_row[i], 0);
  for (uint32_t t = 0; t < plan->backward_tasks; t++) {
    const bdag_task *task = &plan->backward_task[t];
    if (task->kind == BDAG_TASK_PANELS) {
      read_panels(p, task, t);
      continue;
    }
    const bdag_rows_between own = own_rows(plan, task), listed = listed_rows(plan, task);
    if (!task->is_input && own.first <= own.last) make(p, own.first, t);
    if (!task->is_input) read_terms(p, task, t);
    if (listed.first <= listed.last) holder(p, listed.first)->last = t;
  }
}

static void list_lives(bdag_placing *p) {
  memset(p->born, 0xff, p->plan->backward_tasks * sizeof *p->born);
  memset(p->last, 0xff, p->plan->backward_tasks * sizeof *p->last);
  for (uint32_t i = 0; i < p->segments; i++) {
    bdag_segment *segment = &p->segment[i];
    if (segment->born == NO_TASK) continue;
    segment->next_born = p->born[segment->born];
    p->born[segment->born] = i;
    segment->next_last = p->last[segment->last];
    p->last[segment->last] = i;
  }
}

/* ---- Places -------------------------------------------------------------------------------------- */

static void remove_gap(bdag_placing *p, uint32_t i) {
  p->gaps--;
  memmove(p->gap + i, p->gap + i + 1, (p->gaps - i) * sizeof *p->gap);
}

static uint32_t take(bdag_placing *p, uint32_t rows) {
  for (uint32_t i = 0; i < p->gaps; i++) {
    bdag_gap *gap = &p->gap[i];
    if (gap->rows < rows) continue;
    const uint32_t place = gap->place;
    gap->place += rows;
    gap->rows -= rows;
    if (gap->rows == 0) remove_gap(p, i);
    return place;
  }
  const uint32_t place = p->top;
  p->top += rows;
  if (p->top > p->most) p->most = p->top;
  return place;
}

/* Gaps ascend and do not touch, neither each other nor the top. */
static void give_back(bdag_placing *p, uint32_t place, uint32_t rows) {
  uint32_t i = 0;
  while (i < p->gaps && p->gap[i].place < place) i++;
  const int follows = i > 0 && p->gap[i - 1].place + p->gap[i - 1].rows == place;
  if (follows) {
    i--;
    p->gap[i].rows += rows;
  } else {
    if (p->gaps == MOST_GAPS) return;
    memmove(p->gap + i + 1, p->gap + i, (p->gaps - i) * sizeof *p->gap);
    p->gap[i] = (bdag_gap){place, rows};
    p->gaps++;
  }
  const uint32_t end = p->gap[i].place + p->gap[i].rows;
  if (end == p->top) {
    p->top = p->gap[i].place;
    remove_gap(p, i);
  } else if (i + 1 < p->gaps && p->gap[i + 1].place == end) {
    p->gap[i].rows += p->gap[i + 1].rows;
    remove_gap(p, i + 1);
  }
}

static void place(bdag_placing *p) {
  list_lives(p);
  for (uint32_t t = 0; t < p->plan->backward_tasks; t++) {
    for (uint32_t i = p->born[t]; i != UINT32_MAX; i = p->segment[i].next_born)
      p->segment[i].place = take(p, p->segment[i].rows);
    for (uint32_t i = p->last[t]; i != UINT32_MAX; i = p->segment[i].next_last)
      give_back(p, p->segment[i].place, p->segment[i].rows);
  }
}

/* ---- What tasks need ----------------------------------------------------------------------------- */

static int64_t shift_of(const bdag_placing *p, uint32_t row) {
  const bdag_segment *segment = holder(p, row);
  return segment->born == NO_TASK ? 0 : (int64_t)segment->place - segment->row;
}

/* From the last task to the first: limits reach as far as shifts stay the same. */
static void tell_tasks(const bdag_placing *p, bdag_grad_task *tasks) {
  const bdag_plan *plan = p->plan;
  bdag_grad_task next = {.row_limit = plan->swept, .entry_limit = plan->live_entries};
  for (uint32_t t = plan->backward_tasks; t-- > 0;) {
    const bdag_task *task = &plan->backward_task[t];
    if (task->kind == BDAG_TASK_ROWS && task->count > 0) {
      const bdag_sweep_group *last = &plan->sweep[task->first + task->count - 1];
      const uint64_t end = last->first + last->rows;
      const bdag_rows_between own = own_rows(plan, task), listed = listed_rows(plan, task);
      const int64_t shift = task->is_input ? 0 : shift_of(p, own.first);
      if (shift != next.own) next.row_limit = end;
      next.own = shift;
      if (listed.first <= listed.last) {
        const int64_t listed_shift = shift_of(p, listed.first);
        if (listed_shift != next.listed) next.entry_limit = plan->sweep_offset[end];
        next.listed = listed_shift;
      }
    }
    tasks[t] = next;
  }
}

static int tell(const bdag_placing *p, bdag_grad_places *places) {
  const bdag_plan *plan = p->plan;
  uint64_t rows = plan->loss_row_count;
  for (uint32_t t = 0; t < plan->loss_count; t++) rows += plan->loss[t].vertex_count;
  places->task = bdag_allocate_array(plan->context, plan->backward_tasks, sizeof *places->task);
  places->panel = bdag_allocate_array(plan->context, plan->panels, sizeof *places->panel);
  places->loss_row = bdag_allocate_array(plan->context, rows, sizeof *places->loss_row);
  if (places->task == NULL || places->panel == NULL || places->loss_row == NULL) return -1;
  tell_tasks(p, places->task);
  for (uint32_t i = 0; i < plan->panels; i++) places->panel[i] = shift_of(p, plan->panel[i].row);
  uint32_t *to = places->loss_row;
  for (uint32_t t = 0; t < plan->loss_count; t++)
    for (uint32_t i = 0; i < plan->loss[t].vertex_count; i++, to++)
      *to = (uint32_t)(plan->loss[t].row[i] + shift_of(p, plan->loss[t].row[i]));
  for (uint32_t i = 0; i < plan->loss_row_count; i++)
    to[i] = (uint32_t)(plan->loss_row[i] + shift_of(p, plan->loss_row[i]));
  places->rows = p->most;
  places->bytes = plan->backward_tasks * sizeof *places->task +
                  plan->panels * sizeof *places->panel + rows * sizeof *places->loss_row;
  return 0;
}

static int allocate(bdag_placing *p) {
  const bdag_context *context = p->plan->context;
  p->segment_of = bdag_allocate_zeroed(context, (uint64_t)p->plan->rows + 1, sizeof *p->segment_of);
  p->born = bdag_allocate_array(context, p->plan->backward_tasks, sizeof *p->born);
  p->last = bdag_allocate_array(context, p->plan->backward_tasks, sizeof *p->last);
  return p->segment_of == NULL || p->born == NULL || p->last == NULL;
}

int bdag_grad_places_create(bdag_grad_places *places, const bdag_plan *plan) {
  bdag_placing p = {.plan = plan};
  int failed = allocate(&p);
  if (!failed) {
    join_rows(&p);
    failed = cut(&p);
  }
  if (!failed && p.segments > 1) {
    find_lives(&p);
    place(&p);
    /* less is not worth it */
    if (p.most <= plan->rows / 4 * 3) failed = tell(&p, places);
  }
  bdag_free(plan->context, p.segment_of);
  bdag_free(plan->context, p.segment);
  bdag_free(plan->context, p.born);
  bdag_free(plan->context, p.last);
  return failed ? -1 : 0;
}

void bdag_grad_places_destroy(bdag_grad_places *places, const bdag_context *context) {
  bdag_free(context, places->task);
  bdag_free(context, places->panel);
  bdag_free(context, places->loss_row);
}
