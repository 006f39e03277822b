/* The scheduler on graphs of all kinds, as a plain program so that ThreadSanitizer can watch: no task
 * before its predecessors, each exactly once; a long task keeps nobody from the others' work. Prints TAP.
 * With the argument "race" one dependence is missing: what ThreadSanitizer must find. */
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "runtime/meeting.h"
#include "runtime/scheduler.h"
#include "runtime/stages.h"

enum { GRAPHS = 60, MOST_TASKS = 3000, SLEEP_TASKS = 400 };
static const uint32_t team_sizes[] = {1, 2, 3, 4, 8, 16};
enum { TEAMS = sizeof team_sizes / sizeof *team_sizes, LARGEST_TEAM = 16 };

static uint64_t dice_state = 1;

static uint32_t dice(uint32_t below) {
  dice_state = dice_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return (uint32_t)((dice_state >> 33) % below);
}

/* ---- Graphs -------------------------------------------------------------------------------------- */

typedef struct edge_list {
  uint32_t count;
  uint32_t (*edge)[2];
} edge_list;

static void add_edge(edge_list *list, uint32_t from, uint32_t to) {
  if ((list->count & (list->count - 1)) == 0)
    list->edge = realloc(list->edge, (list->count + 1) * 2 * sizeof *list->edge);
  list->edge[list->count][0] = from;
  list->edge[list->count++][1] = to;
}

static bdag_task_graph graph_of(uint32_t tasks, const edge_list *list) {
  bdag_task_graph graph = {.count = tasks};
  graph.predecessors = calloc(tasks + 1, sizeof *graph.predecessors);
  graph.priority = calloc(tasks + 1, sizeof *graph.priority);
  graph.offset = calloc(tasks + 2, sizeof *graph.offset);
  graph.successor = calloc(list->count + 1, sizeof *graph.successor);
  for (uint32_t e = 0; e < list->count; e++) {
    graph.predecessors[list->edge[e][1]]++;
    graph.offset[list->edge[e][0] + 2]++;
  }
  for (uint32_t t = 0; t < tasks; t++) graph.offset[t + 1] += graph.offset[t];
  for (uint32_t e = 0; e < list->count; e++)
    graph.successor[graph.offset[list->edge[e][0] + 1]++] = list->edge[e][1];
  for (uint32_t t = tasks; t-- > 0;)
    for (uint64_t i = graph.offset[t]; i < graph.offset[t + 1]; i++)
      if (graph.priority[graph.successor[i]] + 1 > graph.priority[t])
        graph.priority[t] = graph.priority[graph.successor[i]] + 1;
  return graph;
}

static void release_graph(bdag_task_graph *graph) {
  free(graph->predecessors);
  free(graph->priority);
  free(graph->offset);
  free(graph->successor);
}

/* Random edges within a window (narrow: chains and bands, wide: bushes), or no edges, or one task that
 * all wait for, or one that waits for all. */
static bdag_task_graph random_graph(void) {
  const uint32_t tasks = dice(8) == 0 ? dice(4) : 1 + dice(MOST_TASKS);
  const uint32_t kind = dice(8), window = 1 + dice(1 + dice(tasks + 1)), most = 1 + dice(6);
  edge_list list = {0};
  for (uint32_t t = 1; t < tasks && kind > 0; t++) {
    if (kind == 1) add_edge(&list, 0, t);
    if (kind == 2 && t < tasks - 1) add_edge(&list, t, tasks - 1);
    for (uint32_t i = dice(most + 1); kind > 2 && i > 0; i--)
      add_edge(&list, t - 1 - dice(t < window ? t : window), t);
  }
  const bdag_task_graph graph = graph_of(tasks, &list);
  free(list.edge);
  return graph;
}

/* ---- Order --------------------------------------------------------------------------------------- */

/* Plain numbers, not atomic: the scheduler alone orders who reads after who wrote. */
typedef struct journal {
  const bdag_task_graph *graph;
  uint64_t
      *sum; /* [tasks] what predecessors added; each adds its own value to its successors' places */
  uint64_t *place, *first_place;
  uint32_t *runs;
} journal;

/* Reads what each predecessor left for it, writes to a place of its own for each successor. */
static void run_noted(void *argument, uint32_t task) {
  journal *j = argument;
  uint64_t value = task + 1;
  for (uint64_t i = j->first_place[task]; i < j->first_place[task + 1]; i++) value += j->place[i];
  j->sum[task] = value * UINT64_C(0x9e3779b97f4a7c15);
  j->runs[task]++;
}

/* place[] holds one number for each edge, ordered by target; an edge's source fills it in. */
typedef struct routes {
  uint64_t *to; /* [edges] place of the edge, in the order of graph->successor */
} routes;

typedef struct subject {
  journal journal;
  routes routes;
} subject;

static void run_task(void *argument, uint32_t task) {
  subject *s = argument;
  run_noted(&s->journal, task);
  const bdag_task_graph *graph = s->journal.graph;
  for (uint64_t i = graph->offset[task]; i < graph->offset[task + 1]; i++)
    s->journal.place[s->routes.to[i]] = s->journal.sum[task];
}

static subject subject_of(const bdag_task_graph *graph) {
  const uint64_t edges = graph->offset[graph->count];
  subject s = {.journal = {.graph = graph}};
  s.journal.sum = calloc(graph->count + 1, sizeof *s.journal.sum);
  s.journal.runs = calloc(graph->count + 1, sizeof *s.journal.runs);
  s.journal.place = calloc(edges + 1, sizeof *s.journal.place);
  s.journal.first_place = calloc(graph->count + 2, sizeof *s.journal.first_place);
  s.routes.to = calloc(edges + 1, sizeof *s.routes.to);
  uint64_t *next = calloc(graph->count + 1, sizeof *next);
  for (uint32_t t = 0; t < graph->count; t++)
    s.journal.first_place[t + 1] = s.journal.first_place[t] + graph->predecessors[t];
  memcpy(next, s.journal.first_place, graph->count * sizeof *next);
  for (uint64_t i = 0; i < edges; i++) s.routes.to[i] = next[graph->successor[i]]++;
  free(next);
  return s;
}

static void clear_subject(subject *s) {
  free(s->journal.sum);
  free(s->journal.runs);
  free(s->journal.place);
  free(s->journal.first_place);
  free(s->routes.to);
}

static bdag_scheduler *scheduler_for(const bdag_context *context, uint32_t tasks) {
  bdag_scheduler *scheduler = aligned_alloc(64, sizeof *scheduler);
  if (scheduler == NULL || bdag_scheduler_create(scheduler, context, tasks, LARGEST_TEAM) != 0) {
    puts("Bail out! no memory");
    exit(99);
  }
  return scheduler;
}

/* Tasks that ran other than once, or before a predecessor; `threads` 0: in the order of their numbers. */
static uint32_t count_wrong(bdag_scheduler *scheduler, subject *s, uint32_t threads,
                            const uint64_t *expected) {
  const bdag_task_graph *graph = s->journal.graph;
  const bdag_task_work work = {.run = run_task, .argument = s};
  memset(s->journal.runs, 0, graph->count * sizeof *s->journal.runs);
  memset(s->journal.place, 0, graph->offset[graph->count] * sizeof *s->journal.place);
  if (threads > 0)
    bdag_scheduler_run(scheduler, graph, threads, &work);
  else
    for (uint32_t t = 0; t < graph->count; t++) run_task(s, t);
  uint32_t wrong = 0;
  for (uint32_t t = 0; t < graph->count; t++)
    wrong += s->journal.runs[t] != 1 || (expected != NULL && s->journal.sum[t] != expected[t]);
  return wrong;
}

static uint32_t check_order(const bdag_context *context, uint32_t threads) {
  bdag_scheduler *scheduler = scheduler_for(context, MOST_TASKS + 1);
  uint32_t wrong = 0;
  dice_state = threads;
  for (int g = 0; g < GRAPHS; g++) {
    bdag_task_graph graph = random_graph();
    subject s = subject_of(&graph);
    wrong += count_wrong(scheduler, &s, 0, NULL);
    uint64_t *expected = malloc((graph.count + 1) * sizeof *expected);
    memcpy(expected, s.journal.sum, graph.count * sizeof *expected);
    for (int again = 0; again < 3; again++) wrong += count_wrong(scheduler, &s, threads, expected);
    free(expected);
    clear_subject(&s);
    release_graph(&graph);
  }
  bdag_scheduler_destroy(scheduler, context);
  free(scheduler);
  return wrong;
}

/* ---- Copies -------------------------------------------------------------------------------------- */

/* What the scheduler makes of a graph that is run as several copies. */
static bdag_task_graph copies_of(const bdag_task_graph *graph, uint32_t copies, int chained) {
  edge_list list = {0};
  for (uint32_t c = 0; c < copies; c++)
    for (uint32_t t = 0; t < graph->count; t++) {
      const uint32_t task = c * graph->count + t;
      for (uint64_t i = graph->offset[t]; i < graph->offset[t + 1]; i++)
        add_edge(&list, task, c * graph->count + graph->successor[i]);
      if (chained && c + 1 < copies) add_edge(&list, task, task + graph->count);
    }
  const bdag_task_graph all = graph_of(copies * graph->count, &list);
  free(list.edge);
  return all;
}

static uint32_t check_copies_of(bdag_scheduler *scheduler, const bdag_task_graph *graph,
                                uint32_t threads, uint32_t copies, int chained) {
  bdag_task_graph all = copies_of(graph, copies, chained);
  subject s = subject_of(&all);
  const bdag_task_work work = {
      .run = run_task, .argument = &s, .copies = copies, .chained = chained};
  uint32_t wrong = count_wrong(NULL, &s, 0, NULL);
  uint64_t *expected = malloc((all.count + 1) * sizeof *expected);
  memcpy(expected, s.journal.sum, all.count * sizeof *expected);
  memset(s.journal.runs, 0, all.count * sizeof *s.journal.runs);
  memset(s.journal.place, 0, all.offset[all.count] * sizeof *s.journal.place);
  bdag_scheduler_run(scheduler, graph, threads, &work);
  for (uint32_t t = 0; t < all.count; t++)
    wrong += s.journal.runs[t] != 1 || s.journal.sum[t] != expected[t];
  free(expected);
  clear_subject(&s);
  release_graph(&all);
  return wrong;
}

static uint32_t check_copies(const bdag_context *context, uint32_t threads) {
  enum { MOST_COPIES = 5 };
  bdag_scheduler *scheduler = scheduler_for(context, MOST_COPIES * (MOST_TASKS + 1));
  uint32_t wrong = 0;
  dice_state = 200 + threads;
  for (int g = 0; g < GRAPHS / 2; g++) {
    bdag_task_graph graph = random_graph();
    wrong += check_copies_of(scheduler, &graph, threads, 1 + dice(MOST_COPIES), (int)dice(2));
    release_graph(&graph);
  }
  bdag_scheduler_destroy(scheduler, context);
  free(scheduler);
  return wrong;
}

/* ---- Stages -------------------------------------------------------------------------------------- */

/* What each thread was told to expect; a cache line each. */
typedef struct expectation {
  _Alignas(64) bdag_expected tasks;
  uint32_t told, run, wrong;
} expectation;

typedef struct expectations {
  subject *subject;
  expectation thread[LARGEST_TEAM];
  int all; /* nobody takes over another's parts */
} expectations;

static void note_expected(void *argument, const bdag_expected *tasks) {
  expectations *e = argument;
  expectation *own = &e->thread[omp_get_thread_num()];
  if (own->told++ > 0) {
    own->wrong += own->run != own->tasks.end;
    own->wrong +=
        e->all && (tasks->first != own->tasks.later || tasks->end != own->tasks.later_end);
  }
  own->tasks = *tasks;
  own->run = tasks->first;
}

static void run_expected(void *argument, uint32_t task) {
  expectations *e = argument;
  expectation *own = &e->thread[omp_get_thread_num()];
  own->wrong += own->told == 0 || task != own->run++ || task >= own->tasks.end;
  run_task(e->subject, task);
}

static void run_stages(bdag_stages *stages, uint32_t team, const bdag_task_work *work) {
  bdag_stages_prepare(stages);
#pragma omp parallel num_threads((int)team)
  bdag_stages_join(stages, (uint32_t)omp_get_thread_num(), (uint32_t)omp_get_num_threads(), work);
}

/* Shared out for `threads`, run by so many and by fewer. */
static uint32_t check_stages_of(const bdag_context *context, const bdag_task_graph *graph,
                                subject *s, uint32_t threads, double worth) {
  bdag_task *task = calloc(graph->count + 1, sizeof *task);
  uint64_t *expected = malloc((graph->count + 1) * sizeof *expected);
  uint32_t wrong = count_wrong(NULL, s, 0, NULL);
  memcpy(expected, s->journal.sum, graph->count * sizeof *expected);
  for (uint32_t t = 0; t < graph->count; t++) task[t].edges = dice(100);
  bdag_stages stages;
  wrong += bdag_stages_create(&stages, context, graph, task, threads, worth) != 0;
  wrong += graph->count > 0 && !(stages.share > 0.99 / threads && stages.share <= 1);
  for (uint32_t team = threads; team > 0; team /= 2) {
    memset(s->journal.runs, 0, graph->count * sizeof *s->journal.runs);
    memset(s->journal.place, 0, graph->offset[graph->count] * sizeof *s->journal.place);
    expectations expects = {.subject = s, .all = team == threads};
    const bdag_task_work work = {
        .run = run_expected, .argument = &expects, .expect = note_expected};
    run_stages(&stages, team, &work);
    for (uint32_t i = 0; i < LARGEST_TEAM; i++) wrong += expects.thread[i].wrong;
    for (uint32_t t = 0; t < graph->count; t++)
      wrong += s->journal.runs[t] != 1 || s->journal.sum[t] != expected[t];
  }
  bdag_stages_destroy(&stages, context);
  free(expected);
  free(task);
  return wrong;
}

static uint32_t check_stages(const bdag_context *context, uint32_t threads) {
  static const double worths[] = {0, 100, 1000, 1e9};
  uint32_t wrong = 0;
  dice_state = 100 + threads;
  for (int g = 0; g < GRAPHS / 2; g++) {
    bdag_task_graph graph = random_graph();
    subject s = subject_of(&graph);
    wrong += check_stages_of(context, &graph, &s, threads, worths[g % 4]);
    clear_subject(&s);
    release_graph(&graph);
  }
  return wrong;
}

/* ---- Long tasks ---------------------------------------------------------------------------------- */

typedef struct sleepers {
  uint32_t first, count; /* tasks that sleep until all others are done */
  _Atomic uint32_t done;
  _Atomic uint32_t alone; /* sleepers that gave up */
  uint32_t others;
} sleepers;

static void run_or_sleep(void *argument, uint32_t task) {
  sleepers *s = argument;
  if (task < s->first || task >= s->first + s->count) {
    atomic_fetch_add(&s->done, 1);
    return;
  }
  for (int i = 0; i < 5000; i++) {
    if (atomic_load(&s->done) == s->others) return;
    usleep(1000);
  }
  atomic_fetch_add(&s->alone, 1);
}

/* The root releases everything at once; `sleeping` of those tasks sleep, each of a team of one more. */
static int check_sleep(const bdag_context *context, uint32_t sleeping, uint32_t first) {
  edge_list list = {0};
  for (uint32_t t = 1; t < SLEEP_TASKS; t++) add_edge(&list, 0, t);
  bdag_task_graph graph = graph_of(SLEEP_TASKS, &list);
  for (uint32_t t = first; t < first + sleeping; t++) graph.priority[t] = 7;
  bdag_scheduler *scheduler = scheduler_for(context, SLEEP_TASKS);
  int failed = 0;
  for (int again = 0; again < 20 && !failed; again++) {
    scheduler->patience = again % 2 == 0 ? 1 : BDAG_PATIENCE;
    sleepers s = {.first = first, .count = sleeping, .others = SLEEP_TASKS - sleeping};
    const bdag_task_work work = {.run = run_or_sleep, .argument = &s};
    bdag_scheduler_run(scheduler, &graph, sleeping + 1, &work);
    failed = atomic_load(&s.alone) > 0 || atomic_load(&s.done) != s.others;
  }
  bdag_scheduler_destroy(scheduler, context);
  free(scheduler);
  free(list.edge);
  release_graph(&graph);
  return failed;
}

/* ---- A race on purpose --------------------------------------------------------------------------- */

static int plant_race(const bdag_context *context) {
  edge_list list = {0};
  for (uint32_t t = 1; t < MOST_TASKS; t++) add_edge(&list, t - 1 - dice(t < 60 ? t : 60), t);
  bdag_task_graph graph = graph_of(MOST_TASKS, &list);
  subject s = subject_of(&graph);
  /* Each task also reads what its neighbour writes, and nobody orders the two. */
  for (uint32_t t = 0; t + 1 < MOST_TASKS; t++) s.journal.first_place[t + 1] = t + 2;
  bdag_scheduler *scheduler = scheduler_for(context, MOST_TASKS);
  scheduler->patience = BDAG_PATIENCE;
  for (int again = 0; again < 300; again++) count_wrong(scheduler, &s, 4, NULL);
  bdag_scheduler_destroy(scheduler, context);
  free(scheduler);
  clear_subject(&s);
  release_graph(&graph);
  free(list.edge);
  return 0;
}

int main(int argc, char **argv) {
  bdag_context *context;
  bdag_context_options options = BDAG_CONTEXT_OPTIONS_INIT;
  options.oversubscribe = 1;
  options.threads = LARGEST_TEAM;
  if (bdag_context_create(&context, &options, NULL) != BDAG_OK) return 99;
  if (argc > 1 && strcmp(argv[1], "race") == 0) return plant_race(context);
  printf("1..%d\n", 3 * TEAMS + 3);
  int number = 0, failures = 0;
  for (int t = 0; t < TEAMS; t++) {
    const uint32_t wrong = check_order(context, team_sizes[t]);
    printf("%s %d - %u threads: each task once, after its predecessors\n",
           wrong == 0 ? "ok" : "not ok", ++number, team_sizes[t]);
    failures += wrong > 0;
  }
  for (int t = 0; t < TEAMS; t++) {
    const uint32_t wrong = check_stages(context, team_sizes[t]);
    printf("%s %d - %u threads: the same, shared out once and for all\n",
           wrong == 0 ? "ok" : "not ok", ++number, team_sizes[t]);
    failures += wrong > 0;
  }
  for (int t = 0; t < TEAMS; t++) {
    const uint32_t wrong = check_copies(context, team_sizes[t]);
    printf("%s %d - %u threads: the same in copies\n", wrong == 0 ? "ok" : "not ok", ++number,
           team_sizes[t]);
    failures += wrong > 0;
  }
  static const struct {
    uint32_t sleeping, first;
    const char *what;
  } sleeps[] = {{1, SLEEP_TASKS - 1, "a task that sleeps keeps nobody from the rest"},
                {1, 1, "nor when it comes first"},
                {7, 100, "nor do seven of them"}};
  for (size_t i = 0; i < sizeof sleeps / sizeof *sleeps; i++) {
    const int failed = check_sleep(context, sleeps[i].sleeping, sleeps[i].first);
    printf("%s %d - %s\n", failed ? "not ok" : "ok", ++number, sleeps[i].what);
    failures += failed;
  }
  bdag_context_destroy(context);
  return failures > 0;
}
