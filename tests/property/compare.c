/* See compare.h. */
#include "compare.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

const char *const COMPARED_NAMES[COMPARED_KINDS] = {
    "out", "in", "out_grad", "in_grad", "weight_grad", "bias_grad", "parameter_grad", "loss"};

enum { LINES = 12 }; /* printed of a case */

typedef struct comparison {
  tally *tally;
  const random_case *c;
  double unit; /* ERROR_FACTOR·u */
  int wrong;
} comparison;

static void report(comparison *k, compared kind, size_t index, size_t sample, double actual,
                   double expected, double bound) {
  k->tally->wrong[kind]++;
  if (k->wrong++ >= LINES) return;
  fprintf(stderr, "# seed %" PRIu64 ": %s %zu", k->c->seed, COMPARED_NAMES[kind], index);
  if (kind <= COMPARED_IN_GRAD) fprintf(stderr, " of sample %zu", sample);
  fprintf(stderr, " is %.17g instead of %.17g, %.3g times the bound %.3g\n", actual, expected,
          fabs(actual - expected) / bound, bound);
}

/* One number: |actual − expected| ≤ unit·majorant, and NaN exactly where the oracle has it. */
static void check(comparison *k, compared kind, size_t index, size_t sample, double actual,
                  double expected, double majorant) {
  const double bound = k->unit * majorant, error = fabs(actual - expected);
  k->tally->count[kind]++;
  k->tally->exact += majorant == 0;
  if (isnan(expected) || isnan(actual)) {
    if (!(isnan(expected) && isnan(actual)))
      report(k, kind, index, sample, actual, expected, bound);
    return;
  }
  if (bound > 0) k->tally->worst[kind] = fmax(k->tally->worst[kind], error / bound);
  if (error > bound) report(k, kind, index, sample, actual, expected, bound);
  if (kind != COMPARED_WEIGHT_GRAD && kind != COMPARED_BIAS_GRAD) return;
  const int wide = k->c->engine.type == BDAG_FLOAT64;
  k->tally->live[wide] += expected != 0;
  k->tally->sharp[wide] += expected != 0 && bound < 0.01 * fabs(expected);
}

/* Constants have no in; inputs have gradients when these are asked for. */
static int is_defined(const random_case *c, compared kind, size_t v) {
  const oracle_kind vertex = c->oracle.vertex[v].kind;
  const int gradient = kind == COMPARED_OUT_GRAD || kind == COMPARED_IN_GRAD;
  if (vertex == CONSTANT && kind == COMPARED_IN) return 0;
  if (vertex == INPUT && gradient) return (c->engine.keep & BDAG_KEEP_INPUT_GRAD) != 0;
  return 1;
}

static void check_vertices(comparison *k, compared kind, const double *actual,
                           const double *expected, const double *majorant) {
  const size_t vertices = k->c->oracle.vertex_count;
  if (actual == NULL) return;
  for (size_t i = 0; i < k->c->batch.samples * vertices; i++) {
    if (is_defined(k->c, kind, i % vertices))
      check(k, kind, i % vertices, i / vertices, actual[i], expected[i], majorant[i]);
  }
}

static void check_list(comparison *k, compared kind, size_t count, const double *actual,
                       const double *expected, const double *majorant) {
  const double passes = k->c->accumulated ? 2 : 1;
  for (size_t i = 0; i < count; i++)
    check(k, kind, i, 0, actual[i], passes * expected[i], passes * majorant[i]);
}

/* y is nothing but a copy of out, which an engine that keeps little has not. */
static void check_outputs(comparison *k, const engine_result *r) {
  const uint32_t count = bdag_network_output_count(k->c->network);
  const bdag_output *outputs = bdag_network_outputs(k->c->network);
  for (size_t s = 0; s < k->c->batch.samples; s++) {
    for (uint32_t j = 0; j < count; j++) {
      const uint32_t v = outputs[j].vertex;
      const size_t at = s * k->c->oracle.vertex_count + v;
      const double y = r->y[s * count + j], out = r->out != NULL ? r->out[at] : y;
      if (r->out == NULL) check(k, COMPARED_OUT, v, s, y, k->c->pass.out[at], k->c->bound.out[at]);
      if (y == out || (isnan(y) && isnan(out))) continue;
      report(k, COMPARED_OUT, v, s, y, out, 0);
    }
  }
}

static void describe(const random_case *c) {
  static const char *const axes[] = {"auto", "tiles", "vertices", "serial"};
  fprintf(stderr,
          "# seed %" PRIu64 ": %zu vertices, %zu edges, %zu parameters, %zu terms, batch %zu, "
          "float%d, %s, %u threads, deterministic %d, keep %u, granularity %d, amalgamation %d, "
          "tile %u, groups %u, scale %g, arrays %d, enumeration %d, poisoned %d, accumulated %d; "
          "replay with --seed %" PRIu64 "\n",
          c->seed, c->oracle.vertex_count, c->oracle.edge_count, c->oracle.parameter_count,
          c->oracle.term_count, c->batch.samples, c->engine.type == BDAG_FLOAT32 ? 32 : 64,
          axes[c->engine.axis], c->engine.threads, c->engine.deterministic, c->engine.keep,
          (int)c->plan.granularity, (int)c->plan.amalgamation, c->plan.tile,
          c->plan.accumulation_groups, c->scale, c->arrays, c->handed_in_enumeration, c->poisoned,
          c->accumulated, c->seed);
}

static void add_redraws(tally *tally, const random_case *c) {
  tally->networks++;
  tally->samples_near_kink += c->samples_near_kink;
  tally->samples_too_large += c->samples_too_large;
  tally->networks_near_kink += c->networks_near_kink;
  tally->networks_too_large += c->networks_too_large;
}

int compare_case(tally *tally, const random_case *c) {
  const oracle_network *n = &c->oracle;
  const oracle_pass *p = &c->pass;
  const majorant *m = &c->bound;
  const double u = c->engine.type == BDAG_FLOAT32 ? PRECISION_FLOAT32.u : PRECISION_FLOAT64.u;
  comparison k = {tally, c, ERROR_FACTOR * u, 0};
  engine_result r;
  bdag_error error = {.message = ""};
  add_redraws(tally, c);
  coverage_add(&tally->coverage, c);
  const bdag_status status = engine_result_run(&r, c, &error);
  if (status == BDAG_OK) {
    check_vertices(&k, COMPARED_OUT, r.out, p->out, m->out);
    check_vertices(&k, COMPARED_IN, r.in, p->in, m->in);
    check_vertices(&k, COMPARED_OUT_GRAD, r.out_grad, p->out_grad, m->out_grad);
    check_vertices(&k, COMPARED_IN_GRAD, r.in_grad, p->in_grad, m->in_grad);
    check_list(&k, COMPARED_WEIGHT_GRAD, n->edge_count, r.weight_grad, p->weight_grad,
               m->weight_grad);
    check_list(&k, COMPARED_BIAS_GRAD, n->vertex_count, r.bias_grad, p->bias_grad, m->bias_grad);
    check_list(&k, COMPARED_PARAMETER_GRAD, n->parameter_count, r.parameter_grad, p->parameter_grad,
               m->parameter_grad);
    check(&k, COMPARED_LOSS, 0, 0, r.loss, p->loss, m->loss);
    check_outputs(&k, &r);
  } else {
    fprintf(stderr, "# seed %" PRIu64 ": %s: %s\n", c->seed, bdag_status_string(status),
            error.message);
    k.wrong++;
  }
  engine_result_free(&r);
  if (k.wrong == 0) return 0;
  describe(c);
  tally->failed++;
  return -1;
}
