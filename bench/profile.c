/* What flops, bytes, tasks and teams cost on this machine. May include run_cases and below. */
#include "profile.h"

#include <argp.h>
#include <math.h>
#include <string.h>

#include "pin.h"
#include "scaling_run.h"

#define BUDGET 0.5 /* seconds for each figure */

/* Least seconds of a phase. */
static double least_seconds(bench_subject *subject, bench_phase phase) {
  bench_alternative a = {"profile", bench_subject_run(phase), subject, .inner = 1};
  bench_effort effort = BENCH_EFFORT_INIT;
  effort.budget = BUDGET;
  a.run(subject, 1);
  if (subject->settings->pin) bench_pin_team(subject->threads);
  bench_measure(&a, 1, &effort);
  bench_unpin_team();
  const double seconds = a.failed ? NAN : bench_describe(a.seconds, a.count).minimum;
  bench_alternatives_clear(&a, 1);
  return seconds;
}

/* Seconds a flop of a case on one thread. */
static void measure_flops(const bench_settings *settings, bdag_context *context,
                          const bench_machine *machine, const bench_case *the_case, double *forward,
                          double *backward) {
  *forward = *backward = NAN;
  bench_subject *subject = bench_subject_create(context, settings, the_case, NULL);
  if (subject == NULL) return;
  if (bench_subject_configure(subject, the_case->batches[0], 1, 0) == BDAG_OK) {
    bench_row row = {0};
    bench_row_describe(&row, subject, BENCH_FORWARD, machine);
    *forward = least_seconds(subject, BENCH_FORWARD) / row.flops;
    bench_row_describe(&row, subject, BENCH_BACKWARD, machine);
    *backward = least_seconds(subject, BENCH_BACKWARD) / row.flops;
  }
  bench_subject_destroy(subject);
}

/* A team for next to nothing: two tiles of a tiny net. */
static double measure_team(const bench_settings *settings, bdag_context *context,
                           uint32_t threads) {
  enum { BATCH = 128 };
  bench_settings tiles = *settings, serial = *settings;
  tiles.axis = BDAG_AXIS_TILES;
  serial.axis = BDAG_AXIS_SERIAL;
  bench_subject *subject = bench_subject_create(context, settings, bench_case_find("small"), NULL);
  if (subject == NULL) return NAN;
  bdag_error error;
  bench_subject *alone = bench_subject_clone(subject, &serial, BATCH, 1, 0, &error);
  bench_subject *team = bench_subject_clone(subject, &tiles, BATCH, threads, 0, &error);
  double seconds = NAN;
  if (alone != NULL && team != NULL) {
    /* Tiles are two, however many threads. */
    const double work = least_seconds(alone, BENCH_FORWARD) / (threads < 2 ? threads : 2);
    seconds = fmax(least_seconds(team, BENCH_FORWARD) - work, 0.0);
  }
  bench_subject_release_clone(alone);
  bench_subject_release_clone(team);
  bench_subject_destroy(subject);
  return seconds;
}

void bench_profile_measure(bench_profile *p, const bench_settings *settings,
                           const bench_machine *machine) {
  bdag_context *context = bench_context_create(settings, 0);
  const uint32_t threads = bdag_context_threads(context);
  const bench_case dense = {"dense", "", bench_build_mlp, BENCH_MLP_MNIST, 1, {128}};
  const bench_case lists = {"lists", "", bench_build_irregular, 4000, 1, {64}};
  p->threads = threads;
  measure_flops(settings, context, machine, &dense, &p->dense_forward, &p->dense_backward);
  measure_flops(settings, context, machine, &lists, &p->list_forward, &p->list_backward);
  p->task = bench_task_cost(settings, threads);
  p->team = measure_team(settings, context, threads);
  for (int l = 0; l < BENCH_LEVELS; l++) {
    p->bytes_per_second[l] = machine->ceilings.read[l].rate[0];
    p->bytes_per_second_all[l] = machine->ceilings.read[l].rate[1];
  }
  bdag_context_destroy(context);
}

static json_t *number(double value) {
  return isfinite(value) ? json_real(value) : json_null();
}

static json_t *levels(const double rate[BENCH_LEVELS]) {
  json_t *list = json_array();
  for (int l = 0; l < BENCH_LEVELS; l++) json_array_append_new(list, number(rate[l]));
  return list;
}

json_t *bench_profile_json(const bench_profile *p, const bench_machine *machine) {
  return json_pack(
      "{s:s, s:i, s:O, s:s, s:i, s:{s:o, s:o, s:o, s:o}, s:o, s:o, s:o, s:o}", "format",
      "backdag-cost-profile", "version", 1, "cpu", json_object_get(machine->json, "cpu"), "isa",
      machine->ceilings.isa, "threads", (int)p->threads, "seconds_per_flop", "dense_forward",
      number(p->dense_forward), "dense_backward", number(p->dense_backward), "list_forward",
      number(p->list_forward), "list_backward", number(p->list_backward), "seconds_per_task",
      number(p->task), "seconds_per_team", number(p->team), "bytes_per_second",
      levels(p->bytes_per_second), "bytes_per_second_all", levels(p->bytes_per_second_all));
}

/* ---- The verb ------------------------------------------------------------------------------------ */

typedef struct profile_arguments {
  const char *output; /* NULL: standard output */
} profile_arguments;

static error_t parse_option(int key, char *text, struct argp_state *state) {
  profile_arguments *arguments = state->input;
  if (key != 'o') return ARGP_ERR_UNKNOWN;
  arguments->output = text;
  return 0;
}

int bench_profile_verb(int argc, char **argv) {
  static const struct argp_option options[] = {
      {"output", 'o', "FILE", 0, "where to write; default: standard output", 0}, {0}};
  const struct argp parser = {
      options,
      parse_option,
      "",
      "Measures what flops, bytes, tasks and teams cost on this machine and writes it as JSON, for "
      "bdag_cost_profile_load.",
      NULL,
      NULL,
      NULL};
  profile_arguments arguments = {NULL};
  argp_parse(&parser, argc, argv, 0, NULL, &arguments);
  const bench_settings settings = bench_settings_default();
  bench_machine machine;
  bench_machine_probe(&machine, settings.ceilings);
  bench_profile profile = {0};
  bench_profile_measure(&profile, &settings, &machine);
  json_t *json = bench_profile_json(&profile, &machine);
  int status = 0;
  if (arguments.output != NULL) {
    status = bench_report_write(json, arguments.output) != 0;
  } else {
    json_dumpf(json, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(9));
    putchar('\n');
  }
  json_decref(json);
  bench_machine_clear(&machine);
  return status;
}
