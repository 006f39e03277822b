/* Trace files: valid JSON, complete, whatever the locale; failures leave nothing behind. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/trace_internal.h"

typedef struct traced {
  bdag_context *context;
  bdag_network *network;
  bdag_plan *plan;
  bdag_weights *weights;
  bdag_engine *engine;
  bdag_trace *trace;
} traced;

enum { BATCH = 200, INPUTS = 8, VERTICES = 40 };

static void begin(traced *t, bdag_axis axis) {
  const bdag_activation activation = bdag_activation_default(BDAG_RELU);
  const uint32_t output = INPUTS + VERTICES - 1;
  const bdag_loss_term term = {BDAG_MEAN_SQUARED_ERROR, 1, &output, 1, 0};
  bdag_context_options context = BDAG_CONTEXT_OPTIONS_INIT;
  bdag_engine_options engine = BDAG_ENGINE_OPTIONS_INIT;
  context.threads = 2;
  context.oversubscribe = 1;
  engine.max_batch = BATCH;
  engine.axis = axis;
  cr_assert_eq(bdag_context_create(&t->context, &context, NULL), BDAG_OK);
  cr_assert_eq(bdag_network_create(&t->network, t->context, NULL), BDAG_OK);
  cr_assert_eq(bdag_network_add_inputs(t->network, INPUTS, NULL, NULL), BDAG_OK);
  cr_assert_eq(bdag_network_add_vertices(t->network, VERTICES, &activation, NULL, NULL), BDAG_OK);
  for (uint32_t v = INPUTS; v < INPUTS + VERTICES; v++)
    for (uint32_t u = v - INPUTS; u < v; u += 1 + v % 3)
      cr_assert_eq(bdag_network_add_edges(t->network, 1, &u, &v, NULL, NULL, NULL), BDAG_OK);
  cr_assert_eq(bdag_network_add_loss(t->network, &term, NULL), BDAG_OK);
  cr_assert_eq(bdag_plan_create(&t->plan, t->network, NULL, NULL), BDAG_OK);
  cr_assert_eq(bdag_weights_create(&t->weights, t->plan, t->network, BDAG_FLOAT32, NULL), BDAG_OK);
  cr_assert_eq(bdag_engine_create(&t->engine, t->plan, &engine, NULL), BDAG_OK);
  cr_assert_eq(bdag_trace_create(&t->trace, t->engine, NULL, NULL), BDAG_OK);
}

static void run(traced *t) {
  float *x = calloc(BATCH * INPUTS, sizeof *x), *targets = calloc(BATCH, sizeof *targets);
  double loss;
  cr_assert_eq(bdag_forward(t->engine, t->weights, BATCH, x, NULL), BDAG_OK);
  cr_assert_eq(bdag_backward(t->engine, t->weights, targets, NULL, &loss), BDAG_OK);
  free(x);
  free(targets);
}

static void end(traced *t) {
  bdag_trace_destroy(t->trace);
  bdag_engine_destroy(t->engine);
  bdag_weights_release(t->weights);
  bdag_plan_release(t->plan);
  bdag_network_destroy(t->network);
  bdag_context_destroy(t->context);
}

static json_t *write_and_read(const bdag_trace *trace) {
  char path[] = "/tmp/backdag-trace-XXXXXX";
  json_error_t error;
  bdag_error failure;
  const int file = mkstemp(path);
  cr_assert_geq(file, 0);
  close(file);
  cr_assert_eq(bdag_trace_write(trace, path, &failure), BDAG_OK);
  json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
  cr_assert_not_null(root, "line %d: %s", error.line, error.text);
  unlink(path);
  return root;
}

static const char *text_of(const json_t *event, const char *key) {
  const char *text = json_string_value(json_object_get(event, key));
  cr_assert_not_null(text, "%s is missing", key);
  return text;
}

static double number_of(const json_t *event, const char *key) {
  const json_t *number = json_object_get(event, key);
  cr_assert(json_is_number(number), "%s is no number", key);
  return json_number_value(number);
}

typedef struct tally {
  uint64_t boxes, passes, names, starts, ends;
} tally;

static tally count_events(const traced *t, const json_t *root) {
  tally found = {0};
  size_t i;
  json_t *event;
  const json_t *events = json_object_get(root, "traceEvents");
  cr_assert(json_is_array(events));
  json_array_foreach(events, i, event) {
    const char phase = text_of(event, "ph")[0];
    cr_assert_eq(number_of(event, "pid"), 1);
    cr_assert_leq(number_of(event, "tid"), 2);
    cr_assert_gt(strlen(text_of(event, "name")), 0);
    found.starts += phase == 's';
    found.ends += phase == 'f';
    found.names += phase == 'M';
    if (phase != 'X') continue;
    cr_assert_geq(number_of(event, "ts"), 0);
    cr_assert_geq(number_of(event, "dur"), 0);
    if (strcmp(text_of(event, "cat"), "pass") == 0) {
      found.passes++;
      continue;
    }
    bdag_trace_record record;
    char label[200];
    cr_assert_eq(bdag_trace_get_record(t->trace, found.boxes++, &record), BDAG_OK);
    bdag_trace_label(t->trace, &record, label, sizeof label);
    cr_assert_str_eq(text_of(event, "name"), label);
    cr_assert_eq(number_of(event, "tid"), record.thread + 1);
    cr_assert(fabs(number_of(event, "dur") - 1e-3 * (double)(record.end - record.begin)) < 1e-6);
  }
  return found;
}

Test(trace_write, every_record) {
  for (int axis = BDAG_AXIS_TILES; axis <= BDAG_AXIS_SERIAL; axis++) {
    traced t;
    begin(&t, (bdag_axis)axis);
    run(&t);
    json_t *root = write_and_read(t.trace);
    const tally found = count_events(&t, root);
    cr_assert_eq(found.boxes, bdag_trace_record_count(t.trace));
    cr_assert_eq(found.passes, 2);
    cr_assert_eq(found.starts, found.ends);
    cr_assert_geq(found.names, 5);
    json_decref(root);
    end(&t);
  }
}

Test(trace_write, arrows) {
  traced t;
  begin(&t, BDAG_AXIS_TILES);
  t.trace->pass[0] = (bdag_trace_pass){.kind = BDAG_PASS_BACKWARD,
                                       .axis = BDAG_AXIS_TILES,
                                       .threads = 2,
                                       .tiles = 1,
                                       .begin = 1000,
                                       .end = 9000};
  t.trace->passes = 1;
  t.trace->recording = 1;
  const bdag_trace_entry work = {
      .begin = 1000, .end = 5000, .tiles = 1, .kind = BDAG_TRACE_BACKWARD};
  const bdag_trace_entry reduce = {
      .begin = 6250, .end = 7000, .task = BDAG_NO_TASK, .kind = BDAG_TRACE_REDUCE};
  bdag_trace_put(t.trace, 0, &work);
  bdag_trace_put(t.trace, 1, &reduce);
  json_t *root = write_and_read(t.trace), *event;
  size_t i;
  int seen = 0;
  json_array_foreach(json_object_get(root, "traceEvents"), i, event) {
    const char phase = text_of(event, "ph")[0];
    if (phase != 's' && phase != 'f') continue;
    cr_assert_eq(number_of(event, "tid"), phase == 's' ? 1 : 2);
    cr_assert(fabs(number_of(event, "ts") - (phase == 's' ? 3.999 : 5.25)) < 1e-9);
    seen |= phase == 's' ? 1 : 2;
  }
  cr_assert_eq(seen, 3);
  json_decref(root);
  end(&t);
}

Test(trace_write, nothing_recorded) {
  traced t;
  begin(&t, BDAG_AXIS_TILES);
  json_t *root = write_and_read(t.trace);
  const tally found = count_events(&t, root);
  cr_assert_eq(found.boxes + found.passes + found.starts, 0);
  json_decref(root);
  end(&t);
}

Test(trace_write, comma_locale) {
  traced t;
  begin(&t, BDAG_AXIS_VERTICES);
  run(&t);
  if (setlocale(LC_ALL, "de_DE.UTF-8") == NULL) setlocale(LC_ALL, "de_DE");
  json_t *root = write_and_read(t.trace);
  cr_assert_eq(count_events(&t, root).boxes, bdag_trace_record_count(t.trace));
  json_decref(root);
  end(&t);
}

Test(trace_write, failures) {
  traced t;
  bdag_error error;
  begin(&t, BDAG_AXIS_TILES);
  cr_assert_eq(bdag_trace_write(t.trace, "/no/such/folder/t.json", &error), BDAG_ERROR_IO);
  cr_assert_not_null(strstr(error.file, "/no/such/folder"));
  cr_assert_eq(bdag_trace_write(t.trace, NULL, &error), BDAG_ERROR_INVALID_ARGUMENT);
  cr_assert_eq(bdag_trace_write(NULL, "t.json", &error), BDAG_ERROR_INVALID_ARGUMENT);
  if (access("/dev/full", W_OK) == 0) {
    run(&t);
    cr_assert_eq(bdag_trace_write(t.trace, "/dev/full", &error), BDAG_ERROR_IO);
  }
  end(&t);
}
