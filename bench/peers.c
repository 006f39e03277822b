/* Contests: start the peers, check that all agree, measure them in turns, report the ratios. */
#include "peers.h"

#include <math.h>
#include <string.h>

#include "own_tasks.h"
#include "peer_agreement.h"
#include "peer_process.h"
#include "peer_table.h"
#include "peer_tasks.h"
#include "pin.h"
#include "verify.h"

enum { TASKS = 100000 };
/* Large enough that the weights' digits show what was added in one step. */
#define PEER_LEARNING_RATE 0.01

typedef struct contest_state {
  const bench_settings *settings;
  const bench_machine *machine;
  const bench_contest *contest;
  json_t *rows;
  uint64_t failures;
} contest_state;

/* One peer in one phase, as an alternative. */
typedef struct peer_turn {
  bench_peer *peer;
  const char *phase;
} peer_turn;

static double run_peer(void *user, uint64_t repetitions) {
  const peer_turn *turn = user;
  return bench_peer_run(turn->peer, turn->phase, repetitions);
}

static void print_header(void) {
  printf("%-12s %-8s %4s %2s %-12s %8s %5s  %7s %7s %5s %8s\n", "case", "phase", "b", "t", "what",
         "time", "IQR%", "Ge.s/s", "Gflops", "peak", "ratio");
}

/* `own`: median of backdag; the ratio is how many times as long the peer takes. */
static void emit(contest_state *state, const bench_row *row, double own) {
  const bench_statistics s = bench_describe(row->seconds, row->count);
  char time[16] = "-", iqr[12] = "-", rate[12] = "-", flops[12] = "-", peak[12] = "-",
       ratio[12] = "-";
  if (row->count > 0) {
    bench_print_seconds(time, s.median);
    snprintf(iqr, sizeof iqr, "%.1f", 100.0 * bench_spread(&s));
    if (row->edge_samples > 0.0)
      snprintf(rate, sizeof rate, "%.2f", 1e-9 * row->edge_samples / s.median);
    if (row->flops > 0.0) snprintf(flops, sizeof flops, "%.1f", 1e-9 * row->flops / s.median);
    if (row->flops > 0.0 && row->peak > 0.0)
      snprintf(peak, sizeof peak, "%.0f", 100.0 * row->flops / s.median / row->peak);
    if (own > 0.0) snprintf(ratio, sizeof ratio, "%.2f", s.median / own);
  }
  bench_progress_clear(state->settings);
  printf("%-12.12s %-8s %4llu %2u %-12.12s %8s %5s%c %7s %7s %5s %8s\n", row->name, row->phase,
         (unsigned long long)row->batch, row->threads, row->implementation, time, iqr,
         row->count > 0 && bench_is_noisy(&s) ? '!' : ' ', rate, flops, peak, ratio);
  if (row->note[0] != '\0') printf("  %s: %.86s\n", row->valid ? "note" : "DISAGREES", row->note);
  fflush(stdout);
  json_array_append_new(state->rows, bench_row_json(row));
  state->failures += !row->valid;
}

static void add_note(bench_row *row, const char *note) {
  const size_t used = strlen(row->note);
  snprintf(row->note + used, sizeof row->note - used, "%s%s", used > 0 ? "; " : "", note);
}

/* Measures and reports the alternatives of one phase: backdag first, then peers; those without `run`
 * are dashes, `rows` holds their notes. */
static void measure_phase(contest_state *state, bench_alternative *alternatives, bench_row *rows,
                          uint64_t count) {
  bench_alternative working[BENCH_MOST_PEERS + 1];
  uint64_t index[BENCH_MOST_PEERS + 1], working_count = 0;
  for (uint64_t i = 0; i < count; i++) {
    if (alternatives[i].run == NULL) continue;
    index[working_count] = i;
    working[working_count++] = alternatives[i];
  }
  bench_effort effort = state->settings->effort;
  effort.least_sample = 0.01;
  effort.settle = 0.005;
  if (state->settings->pin && alternatives[0].run != NULL) {
    alternatives[0].run(alternatives[0].user, 1);
    bench_pin_team(rows[0].threads);
  }
  bench_measure(working, working_count, &effort);
  bench_unpin_team();
  double own = 0.0;
  for (uint64_t i = 0; i < working_count; i++) {
    bench_row *row = &rows[index[i]];
    row->seconds = working[i].seconds;
    row->count = working[i].count;
    if (working[i].failed) add_note(row, "failed while measured");
    if (index[i] == 0) own = bench_describe(row->seconds, row->count).median;
  }
  for (uint64_t i = 0; i < count; i++) {
    bench_row *row = &rows[i];
    const double share =
        row->count > 0 && row->peak > 0.0
            ? row->flops / bench_describe(row->seconds, row->count).median / row->peak
            : 1.0;
    /* useful flops leave out the zeros that it multiplies where edges are missing */
    const char *name = state->contest->case_name;
    const int dense =
        strncmp(name != NULL ? name : "", "sparse-", 7) != 0 || strcmp(name, "sparse-00") == 0;
    if (dense && strcmp(row->implementation, "openblas") == 0 && row->batch > 1 &&
        strcmp(row->phase, "step") == 0 && share < 0.7)
      add_note(row, "below 70 % of peak: not OpenBLAS at its best");
    emit(state, row, i == 0 ? 0.0 : own);
  }
  bench_alternatives_clear(working, working_count);
}

static uint32_t start_peers(contest_state *state, const bench_problem *problem, uint32_t threads,
                            bench_peer peers[BENCH_MOST_PEERS]) {
  uint32_t count = 0;
  for (; state->contest->peers[count] != NULL; count++) {
    const bench_peer_program *program = bench_peer_program_find(state->contest->peers[count]);
    bench_peer_start(&peers[count], program->name, program->program, program->argument, problem,
                     threads, state->settings->pin);
  }
  return count;
}

static void contest_phase(contest_state *state, bench_subject *subject, bench_problem *problem,
                          bench_peer *peers, uint32_t count, bench_phase phase) {
  bench_alternative alternatives[BENCH_MOST_PEERS + 1] = {0};
  bench_row rows[BENCH_MOST_PEERS + 1] = {0};
  peer_turn turns[BENCH_MOST_PEERS];
  char note[200];
  bench_row_describe(&rows[0], subject, phase, state->machine);
  rows[0].name = state->contest->name;
  alternatives[0] = (bench_alternative){"backdag", bench_subject_run(phase), subject, .inner = 1};
  for (uint32_t i = 0; i < count; i++) {
    bench_row *row = &rows[i + 1];
    *row = rows[0];
    row->implementation = peers[i].name;
    row->memory = 0;
    turns[i] = (peer_turn){&peers[i], bench_phase_name(phase)};
    if (peers[i].process <= 0 || !bench_peer_check(&peers[i], bench_phase_name(phase))) {
      add_note(row, peers[i].description);
      continue;
    }
    if (!bench_peer_agrees(subject, problem, phase, state->contest->tolerance, note, sizeof note)) {
      row->valid = 0;
      add_note(row, note);
      continue;
    }
    alternatives[i + 1] = (bench_alternative){peers[i].name, run_peer, &turns[i], .inner = 1};
  }
  measure_phase(state, alternatives, rows, count + 1);
}

static void contest_threads(contest_state *state, bench_subject *subject, uint32_t threads) {
  const bench_contest *contest = state->contest;
  const uint32_t step = BENCH_PHASE_BIT(BENCH_STEP);
  const uint32_t phases =
      state->settings->phases != 0 ? contest->phases & state->settings->phases : contest->phases;
  const uint64_t batch =
      state->settings->batches[0] != 0 ? state->settings->batches[0] : contest->batch;
  if (bench_subject_configure(subject, batch, threads, (phases & step) != 0) != BDAG_OK) {
    fprintf(stderr, "backdag-bench: %s: %s\n", contest->name, subject->error.message);
    state->failures++;
    return;
  }
  bench_verification verification = {.correct = 1};
  if (state->settings->verify)
    bench_verify(subject, (phases & ~BENCH_PHASE_BIT(BENCH_FORWARD)) != 0, (phases & step) != 0,
                 &verification);
  if (!verification.correct) {
    fprintf(stderr, "backdag-bench: %s: WRONG RESULT: %s\n", contest->name, verification.message);
    state->failures++;
    return;
  }
  bench_problem problem;
  bench_peer peers[BENCH_MOST_PEERS];
  if (bench_problem_create(&problem, subject, PEER_LEARNING_RATE) != 0)
    bench_die("no shared memory for the peers");
  const uint32_t count = start_peers(state, &problem, threads, peers);
  for (int p = 0; p < BENCH_PHASES; p++)
    if (phases & BENCH_PHASE_BIT(p))
      contest_phase(state, subject, &problem, peers, count, (bench_phase)p);
  for (uint32_t i = 0; i < count; i++) bench_peer_stop(&peers[i]);
  bench_problem_destroy(&problem);
}

/* ---- Tasks ------------------------------------------------------------------------------------- */

static void contest_tasks(contest_state *state, bdag_context *context, uint32_t threads) {
  const uint32_t most = state->contest->most_predecessors;
  const uint64_t seed = state->settings->seed;
  bench_graph *graph =
      most > 2 ? bench_build_mixed_tasks(TASKS, most, seed) : bench_build_tasks(TASKS, seed);
  bench_problem problem;
  bench_peer peers[BENCH_MOST_PEERS];
  bench_own_tasks *own = bench_own_tasks_create(context, graph, threads, NULL, NULL);
  bench_alternative alternatives[BENCH_MOST_PEERS + 1] = {0};
  bench_row rows[BENCH_MOST_PEERS + 1] = {0};
  peer_turn turns[BENCH_MOST_PEERS];
  if (bench_problem_create_tasks(&problem, graph, threads) != 0)
    bench_die("no shared memory for the peers");
  const uint32_t count = start_peers(state, &problem, threads, peers);
  for (uint32_t i = 0; i <= count; i++) {
    rows[i].name = state->contest->name;
    rows[i].phase = "tasks";
    rows[i].implementation = i == 0 ? "backdag" : peers[i - 1].name;
    rows[i].threads = threads;
    rows[i].type = "float32";
    rows[i].valid = 1;
    if (i == 0 || peers[i - 1].process <= 0) continue;
    turns[i - 1] = (peer_turn){&peers[i - 1], "tasks"};
    if (bench_peer_check(&peers[i - 1], "tasks"))
      alternatives[i] = (bench_alternative){peers[i - 1].name, run_peer, &turns[i - 1], .inner = 1};
  }
  for (uint32_t i = 0; i < count; i++)
    if (alternatives[i + 1].run == NULL) add_note(&rows[i + 1], peers[i].description);
  alternatives[0] = (bench_alternative){"backdag", bench_own_tasks_run, own, .inner = 1};
  measure_phase(state, alternatives, rows, count + 1);
  for (uint32_t i = 0; i < count; i++) bench_peer_stop(&peers[i]);
  bench_problem_destroy(&problem);
  bench_own_tasks_destroy(own);
  bench_graph_destroy(graph);
}

/* ---- All contests ------------------------------------------------------------------------------ */

static uint32_t threads_of(const contest_state *state, bdag_context *context,
                           uint32_t threads[BENCH_LIST]) {
  uint32_t count = 0;
  for (; count < BENCH_LIST && state->settings->threads[count] != 0; count++)
    threads[count] = state->settings->threads[count];
  if (count > 0) return count;
  threads[count++] = 1;
  if (bdag_context_threads(context) > 1 && !state->contest->serial)
    threads[count++] = bdag_context_threads(context);
  return count;
}

static void run_contest(contest_state *state, bdag_context *context) {
  uint32_t threads[BENCH_LIST];
  const uint32_t count = threads_of(state, context, threads);
  if (state->contest->case_name == NULL) {
    for (uint32_t t = 0; t < count; t++) contest_tasks(state, context, threads[t]);
    return;
  }
  bench_settings settings = *state->settings;
  settings.type = state->contest->type;
  const bench_case *the_case = bench_case_find(state->contest->case_name);
  bench_subject *subject = bench_subject_create(context, &settings, the_case, NULL);
  if (subject == NULL) {
    state->failures++;
    return;
  }
  for (uint32_t t = 0; t < count; t++) contest_threads(state, subject, threads[t]);
  bench_subject_destroy(subject);
}

static int is_selected(const char *const *names, uint64_t count, const char *name) {
  for (uint64_t i = 0; i < count; i++)
    if (strcmp(names[i], name) == 0) return 1;
  return count == 0;
}

uint64_t bench_run_peers(const bench_settings *settings, const bench_machine *machine,
                         const char *const *names, uint64_t count, json_t *report) {
  uint32_t most = 0;
  for (int t = 0; t < BENCH_LIST; t++)
    if (settings->threads[t] > most) most = settings->threads[t];
  contest_state state = {settings, machine, NULL, json_object_get(report, "rows"), 0};
  bdag_context *context = bench_context_create(settings, most);
  const double begin = bench_now();
  uint64_t selected = 0, done = 0;
  for (size_t i = 0; i < bench_contest_count; i++)
    selected += (uint64_t)is_selected(names, count, bench_contests[i].name);
  if (selected < count) bench_die("a name is no contest; see `backdag-bench list`");
  print_header();
  for (size_t i = 0; i < bench_contest_count; i++) {
    if (!is_selected(names, count, bench_contests[i].name)) continue;
    bench_progress(settings, bench_contests[i].name, (double)done, (double)selected,
                   bench_now() - begin);
    state.contest = &bench_contests[i];
    run_contest(&state, context);
    done++;
  }
  bench_progress_clear(settings);
  bdag_context_destroy(context);
  return state.failures;
}

void bench_list_peers(FILE *stream) {
  fputs("\ncontests of peers\n", stream);
  for (size_t i = 0; i < bench_contest_count; i++) {
    const bench_contest *contest = &bench_contests[i];
    fprintf(stream, "  %-10s", contest->name);
    for (int p = 0; contest->peers[p] != NULL; p++) fprintf(stream, " %s", contest->peers[p]);
    fputc('\n', stream);
  }
  fputs("\npeers (* here)\n", stream);
  for (size_t i = 0; i < bench_peer_program_count; i++) {
    const bench_peer_program *peer = &bench_peer_programs[i];
    fprintf(stream, "%c %-10s %-55s %s\n", bench_peer_is_here(peer->program) ? '*' : ' ',
            peer->name, peer->form, peer->package);
  }
}
