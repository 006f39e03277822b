/* Cases × batches × threads; the phases of each combination are measured interleaved. */
#include "run_cases.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

#include "list_gather.h"
#include "pin.h"
#include "verify.h"

void bench_progress(const bench_settings *settings, const char *what, double done, double total,
                    double seconds) {
  if (settings->quiet) return;
  const double left = done > 0.0 ? seconds * (total - done) / done : 0.0;
  const int terminal = isatty(STDERR_FILENO);
  fprintf(stderr, "%s[%3.0f %%] %-40.40s", terminal ? "\r" : "", 100.0 * done / total, what);
  if (done > 0.0) fprintf(stderr, " ETA %d:%02d", (int)left / 60, (int)left % 60);
  fputs(terminal ? "   " : "\n", stderr);
}

void bench_progress_clear(const bench_settings *settings) {
  if (!settings->quiet && isatty(STDERR_FILENO)) fprintf(stderr, "\r%64s\r", "");
}

/* Rows and weights touched once: DESIGN's least traffic, whatever the caches do. */
static double least_bytes(const bench_subject *s, bench_phase phase) {
  const double size = (double)bench_type_size(s->settings->type), index = sizeof(uint32_t);
  const double row = (double)s->vertices * (double)s->batch * size, edges = (double)s->edges;
  const double forward = 2.0 * row + edges * (size + index);
  const double backward = 3.0 * row + edges * (2.0 * size + index);
  switch (phase) {
  case BENCH_FORWARD:
    return forward;
  case BENCH_BACKWARD:
    return backward;
  case BENCH_BOTH:
    return forward + backward;
  case BENCH_STEP:
    return forward + backward + 3.0 * edges * size;
  default:
    return 0.0;
  }
}

static double useful_flops(const bench_subject *s, bench_phase phase) {
  const double batch = (double)s->batch;
  const double forward = 2.0 * (double)s->edges * batch;
  const double backward = 2.0 * (double)(s->weight_edges + s->out_edges) * batch;
  switch (phase) {
  case BENCH_FORWARD:
    return forward;
  case BENCH_BACKWARD:
    return backward;
  case BENCH_BOTH:
    return forward + backward;
  case BENCH_STEP:
    return forward + backward + 2.0 * (double)s->weight_edges;
  default:
    return 0.0;
  }
}

void bench_row_describe(bench_row *row, const bench_subject *s, bench_phase phase,
                        const bench_machine *machine) {
  const size_t size = bench_type_size(s->settings->type);
  const int is_pass = (BENCH_PHASE_BIT(phase) & BENCH_PASSES) != 0;
  row->name = s->name;
  row->phase = bench_phase_name(phase);
  row->implementation = "backdag";
  row->batch = is_pass ? s->batch : 0;
  row->threads = s->threads;
  row->type = s->settings->type == BDAG_FLOAT32 ? "float32" : "float64";
  row->valid = 1;
  row->edge_samples = is_pass ? (double)s->edges * (double)s->batch : 0.0;
  row->flops = useful_flops(s, phase);
  row->bytes = least_bytes(s, phase);
  row->row_bytes = row->edge_samples * (double)size;
  row->row_bandwidth = phase == BENCH_FORWARD || phase == BENCH_BACKWARD ? s->list_bandwidth : 0.0;
  row->memory = s->plan_bytes + s->engine_bytes;
  if (!is_pass || machine->ceilings.threads == 0) return;
  const bench_ceilings *ceilings = &machine->ceilings;
  const int level = bench_ceiling_level(ceilings, row->bytes, s->threads);
  row->peak = bench_ceiling_fma(ceilings, size, s->threads);
  row->level = ceilings->read[level].name;
  row->bandwidth = bench_ceiling_read(ceilings, level, s->threads);
}

int bench_check_liveness(bench_subject *subject, char *note, size_t size) {
  bench_liveness liveness;
  const bdag_status status = bench_liveness_count(subject, &liveness);
  const double wanted = subject->the_case != NULL ? subject->the_case->alive : 0.0;
  if (status != BDAG_OK)
    snprintf(note, size, "backward pass: %s", bdag_status_string(status));
  else if (liveness.infinite > 0)
    snprintf(note, size, "%llu in_grads are not finite: no measurement of a backward pass",
             (unsigned long long)liveness.infinite);
  else if (liveness.alive < wanted)
    snprintf(note, size,
             "only %.2g %% of the in_grads differ from 0 (%.0f %% wanted): no measurement",
             100.0 * liveness.alive, 100.0 * wanted);
  else
    return 1;
  return 0;
}

/* A row of which further rounds are to come. */
typedef struct pending_row {
  bench_row row;
  double *seconds;
  uint64_t count;
  double rounds[BENCH_ROUNDS]; /* median of each */
  double pace[BENCH_ROUNDS];
} pending_row;

typedef struct run_state {
  const bench_settings *settings;
  const bench_machine *machine;
  bdag_context *context;
  json_t *rows;
  uint64_t failures;
  double begin, done, total; /* units of progress: alternatives */
  uint64_t round;
  pending_row *pending;
  uint64_t pending_count;
} run_state;

static double run_pace(void *user, uint64_t repetitions) {
  double seconds = 0.0;
  for (uint64_t r = 0; r < repetitions; r++) seconds += bench_pace();
  return seconds;
}

static void print_row(run_state *state, const bench_row *row) {
  bench_progress_clear(state->settings);
  bench_table_row(stdout, row);
  fflush(stdout);
  json_array_append_new(state->rows, bench_row_json(row));
  state->failures += !row->valid;
}

static pending_row *find_pending(run_state *state, const bench_row *row) {
  for (uint64_t i = 0; i < state->pending_count; i++) {
    const bench_row *other = &state->pending[i].row;
    if (strcmp(other->name, row->name) == 0 && strcmp(other->phase, row->phase) == 0 &&
        other->batch == row->batch && other->threads == row->threads)
      return &state->pending[i];
  }
  pending_row *grown = bench_allocate(state->pending_count + 1, sizeof *grown);
  if (state->pending_count > 0) memcpy(grown, state->pending, state->pending_count * sizeof *grown);
  bench_free(state->pending);
  state->pending = grown;
  grown[state->pending_count] = (pending_row){.row = *row};
  grown[state->pending_count].row.round_count = 0;
  return &grown[state->pending_count++];
}

/* Notes one round of a row; the last one prints it. A row that is not valid says so at once. */
static void emit(run_state *state, bench_row *row) {
  pending_row *pending = find_pending(state, row);
  if (!pending->row.valid && pending->row.round_count > 0) return;
  if (!row->valid || row->count == 0) {
    pending->row = *row;
    pending->row.valid = 0;
    pending->row.round_count = 1;
    print_row(state, row);
    return;
  }
  double *all = bench_allocate(pending->count + row->count, sizeof *all);
  if (pending->count > 0) memcpy(all, pending->seconds, pending->count * sizeof *all);
  memcpy(all + pending->count, row->seconds, row->count * sizeof *all);
  bench_free(pending->seconds);
  pending->seconds = all;
  pending->count += row->count;
  const uint64_t rounds = pending->row.round_count;
  pending->rounds[rounds] = bench_describe(row->seconds, row->count).median;
  pending->pace[rounds] = row->pace;
  pending->row = *row;
  pending->row.seconds = pending->seconds;
  pending->row.count = pending->count;
  pending->row.rounds = pending->rounds;
  pending->row.round_count = rounds + 1;
  pending->row.pace = bench_describe(pending->pace, rounds + 1).median;
  if (state->round + 1 == BENCH_ROUNDS) print_row(state, &pending->row);
}

static void emit_invalid(run_state *state, const bench_subject *subject, uint32_t phases,
                         const char *note) {
  for (int p = 0; p < BENCH_PHASES; p++) {
    if (!(phases & BENCH_PHASE_BIT(p))) continue;
    bench_row row = {0};
    bench_row_describe(&row, subject, p, state->machine);
    row.valid = 0;
    snprintf(row.note, sizeof row.note, "%.199s", note);
    emit(state, &row);
  }
}

/* What is measured interleaved: the phases, and last the pace. */
typedef struct phase_group {
  uint64_t count; /* of the phases */
  bench_phase phase[BENCH_PHASES];
  int failed[BENCH_PHASES];
  /* Samples of all rounds. */
  uint64_t sample_count[BENCH_PHASES + 1];
  double *seconds[BENCH_PHASES + 1];
} phase_group;

static void append(phase_group *group, uint64_t index, const bench_alternative *a) {
  const uint64_t old = group->sample_count[index];
  double *all = bench_allocate(old + a->count, sizeof *all);
  if (old > 0) memcpy(all, group->seconds[index], old * sizeof *all);
  memcpy(all + old, a->seconds, a->count * sizeof *all);
  bench_free(group->seconds[index]);
  group->seconds[index] = all;
  group->sample_count[index] = old + a->count;
}

static void measure_round(const bench_settings *settings, bench_subject *subject,
                          phase_group *group) {
  bench_alternative alternatives[BENCH_PHASES + 1] = {0};
  for (uint64_t i = 0; i < group->count; i++)
    alternatives[i] = (bench_alternative){bench_phase_name(group->phase[i]),
                                          bench_subject_run(group->phase[i]), subject, .inner = 1};
  alternatives[group->count] = (bench_alternative){"pace", run_pace, NULL, .inner = 1};
  bench_effort effort = settings->effort;
  effort.budget /= BENCH_ROUNDS;
  effort.least = 3;
  alternatives[0].run(subject, 1);
  if (settings->pin) bench_pin_team(bench_subject_team(subject));
  bench_measure(alternatives, group->count + 1, &effort);
  bench_unpin_team();
  for (uint64_t i = 0; i <= group->count; i++) append(group, i, &alternatives[i]);
  for (uint64_t i = 0; i < group->count; i++) group->failed[i] |= alternatives[i].failed;
  bench_alternatives_clear(alternatives, group->count + 1);
}

static double median_of(const phase_group *group, uint64_t index) {
  return bench_describe(group->seconds[index], group->sample_count[index]).median;
}

static void report_phase(run_state *state, bench_subject *subject, const phase_group *group,
                         uint64_t index, double forward) {
  bench_row row = {0};
  bench_row_describe(&row, subject, group->phase[index], state->machine);
  row.seconds = group->seconds[index];
  row.count = group->sample_count[index];
  row.pace = median_of(group, group->count);
  if (group->phase[index] == BENCH_BACKWARD) {
    row.backward_forward = median_of(group, index) / forward;
    row.bound = (double)(subject->weight_edges + subject->out_edges) / (double)subject->edges;
  }
  if (group->failed[index]) {
    row.valid = 0;
    snprintf(row.note, sizeof row.note, "%.150s", subject->error.message);
  }
  emit(state, &row);
}

/* Measures the phases interleaved and reports them; a forward pass is always among them where a
 * backward pass is, because of the ratio. */
static void measure_phases(run_state *state, bench_subject *subject, uint32_t phases) {
  const uint32_t backward = BENCH_PHASE_BIT(BENCH_BACKWARD);
  const uint32_t measured = phases & backward ? phases | BENCH_PHASE_BIT(BENCH_FORWARD) : phases;
  phase_group group = {0};
  for (int p = 0; p < BENCH_PHASES; p++)
    if (measured & BENCH_PHASE_BIT(p)) group.phase[group.count++] = p;
  measure_round(state->settings, subject, &group);
  for (uint64_t i = 0; i < group.count; i++)
    if (phases & BENCH_PHASE_BIT(group.phase[i]))
      report_phase(state, subject, &group, i, median_of(&group, 0));
  for (uint64_t i = 0; i <= group.count; i++) bench_free(group.seconds[i]);
}

static void run_passes(run_state *state, bench_subject *subject, uint32_t phases, uint64_t batch,
                       uint32_t threads) {
  char what[64];
  snprintf(what, sizeof what, "%.24s, batch %llu, %u threads", subject->name,
           (unsigned long long)batch, threads);
  bench_progress(state->settings, what, state->done, state->total, bench_now() - state->begin);
  const uint32_t forward = BENCH_PHASE_BIT(BENCH_FORWARD), step = BENCH_PHASE_BIT(BENCH_STEP);
  const bdag_status status = bench_subject_configure(subject, batch, threads, (phases & step) != 0);
  if (status != BDAG_OK) {
    emit_invalid(state, subject, phases, subject->error.message);
    return;
  }
  if (state->settings->verify && state->round == 0) {
    bench_verification verification;
    bench_verify(subject, (phases & ~forward) != 0, (phases & step) != 0, &verification);
    if (!verification.correct) {
      char note[200];
      snprintf(note, sizeof note, "WRONG RESULT: %.180s", verification.message);
      emit_invalid(state, subject, phases, note);
      return;
    }
  }
  char note[200];
  if ((phases & ~forward) != 0 && !bench_check_liveness(subject, note, sizeof note)) {
    if (phases & forward) measure_phases(state, subject, forward);
    emit_invalid(state, subject, phases & ~forward, note);
    return;
  }
  if (threads == 1 && batch >= 64 && subject->member_count == 1)
    subject->list_bandwidth =
        fmax(subject->list_bandwidth, bench_list_gather(subject->member[0].plan, 0.02));
  else
    subject->list_bandwidth = 0.0;
  measure_phases(state, subject, phases);
}

/* Bits of a case's phases under these settings. */
static uint32_t phases_of(const bench_settings *settings, const bench_case *the_case) {
  if (settings->phases != 0) return settings->phases;
  return the_case != NULL ? the_case->phases
                          : BENCH_PHASE_BIT(BENCH_FORWARD) | BENCH_PHASE_BIT(BENCH_BACKWARD);
}

static uint64_t batches_of(const bench_settings *settings, const bench_case *the_case,
                           uint64_t batches[BENCH_LIST]) {
  uint64_t count = 0;
  for (; count < BENCH_LIST && settings->batches[count] != 0; count++)
    batches[count] = settings->batches[count];
  if (count > 0) return count;
  for (; the_case != NULL && count < BENCH_BATCHES && the_case->batches[count] != 0; count++)
    batches[count] = the_case->batches[count];
  if (count == 0) batches[count++] = 64;
  return count;
}

static double units_of(const bench_settings *settings, const bench_case *the_case) {
  uint64_t batches[BENCH_LIST];
  const uint64_t combinations = batches_of(settings, the_case, batches);
  uint64_t threads = 0;
  while (threads < BENCH_LIST && settings->threads[threads] != 0) threads++;
  const uint32_t phases = phases_of(settings, the_case);
  const int passes = __builtin_popcount(phases & BENCH_PASSES);
  return (double)combinations * (double)(threads > 0 ? threads : 1) * (passes + 1) +
         __builtin_popcount(phases & ~BENCH_PASSES);
}

/* Gigabytes that the system would give without pushing others out; 0 if it does not say. */
static double available_gigabytes(void) {
  FILE *file = fopen("/proc/meminfo", "re");
  char line[128];
  unsigned long long kibibytes = 0;
  while (file != NULL && fgets(line, sizeof line, file) != NULL)
    if (sscanf(line, "MemAvailable: %llu", &kibibytes) == 1) break;
  if (file != NULL) fclose(file);
  return (double)kibibytes * 1024e-9;
}

static int is_too_large(const run_state *state, const bench_case *the_case) {
  const double here = available_gigabytes();
  if (the_case == NULL || here == 0.0 || the_case->gigabytes <= here) return 0;
  bench_progress_clear(state->settings);
  fprintf(stderr, "backdag-bench: %s is left out: it wants %.0f GB of memory, %.1f are free\n",
          the_case->name, the_case->gigabytes, here);
  return 1;
}

/* One round of a case, whose subject is kept for the next. */
static void run_case(run_state *state, const bench_case *the_case, const char *path,
                     bench_subject **kept) {
  const bench_settings *settings = state->settings;
  const char *name = the_case != NULL ? the_case->name : path;
  if (state->round > 0 && *kept == NULL) return;
  if (state->round == 0 && is_too_large(state, the_case)) return;
  bench_progress(settings, name, state->done, state->total, bench_now() - state->begin);
  if (state->round == 0) *kept = bench_subject_create(state->context, settings, the_case, path);
  bench_subject *subject = *kept;
  if (subject == NULL) {
    state->failures++;
    return;
  }
  uint64_t batches[BENCH_LIST];
  const uint64_t batch_count = batches_of(settings, the_case, batches);
  uint32_t phases = phases_of(settings, the_case);
  if (!subject->has_loss) phases &= ~(BENCH_PASSES & ~BENCH_PHASE_BIT(BENCH_FORWARD));
  const uint32_t passes = phases & BENCH_PASSES, others = phases & ~BENCH_PASSES;
  for (uint64_t b = 0; b < batch_count && passes != 0; b++)
    for (uint64_t t = 0; t == 0 || (t < BENCH_LIST && settings->threads[t] != 0); t++) {
      const uint32_t threads =
          settings->threads[t] != 0 ? settings->threads[t] : bdag_context_threads(state->context);
      run_passes(state, subject, passes, batches[b], threads);
      state->done += __builtin_popcount(passes) + 1;
    }
  if (others != 0) {
    subject->batch = batches[0];
    subject->threads = bdag_context_threads(state->context);
    measure_phases(state, subject, others);
    state->done += __builtin_popcount(others);
  }
}

static int is_selected(const char *const *names, uint64_t count, const bench_case *the_case) {
  if (count == 0) return the_case->in_default_set;
  for (uint64_t i = 0; i < count; i++)
    if (strcmp(names[i], the_case->name) == 0 || strcmp(names[i], "all") == 0) return 1;
  return 0;
}

uint64_t bench_run_cases(const bench_settings *settings, const bench_machine *machine,
                         const char *const *names, uint64_t count, json_t *report) {
  uint32_t most = 0;
  for (int t = 0; t < BENCH_LIST; t++)
    if (settings->threads[t] > most) most = settings->threads[t];
  run_state state = {settings, machine, .begin = bench_now()};
  state.context = bench_context_create(settings, most);
  state.rows = json_object_get(report, "rows");
  for (size_t i = 0; i < bench_case_count; i++)
    if (is_selected(names, count, &bench_cases[i]))
      state.total += units_of(settings, &bench_cases[i]);
  for (uint64_t i = 0; i < count; i++)
    if (bench_case_find(names[i]) == NULL && strcmp(names[i], "all") != 0)
      state.total += units_of(settings, NULL);
  state.total *= BENCH_ROUNDS;
  bench_table_header(stdout);
  bench_subject **kept = bench_allocate(bench_case_count + count, sizeof *kept);
  memset(kept, 0, (bench_case_count + count) * sizeof *kept);
  for (; state.round < BENCH_ROUNDS; state.round++) {
    for (size_t i = 0; i < bench_case_count; i++)
      if (is_selected(names, count, &bench_cases[i]))
        run_case(&state, &bench_cases[i], NULL, &kept[i]);
    for (uint64_t i = 0; i < count; i++)
      if (bench_case_find(names[i]) == NULL && strcmp(names[i], "all") != 0)
        run_case(&state, NULL, names[i], &kept[bench_case_count + i]);
  }
  bench_progress_clear(settings);
  for (uint64_t i = 0; i < bench_case_count + count; i++)
    if (kept[i] != NULL) bench_subject_destroy(kept[i]);
  for (uint64_t i = 0; i < state.pending_count; i++) bench_free(state.pending[i].seconds);
  bench_free(state.pending);
  bench_free(kept);
  bdag_context_destroy(state.context);
  return state.failures;
}
