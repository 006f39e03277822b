/* Outputs, loss, gradients and updated weights of a peer against those of backdag. */
#include "peer_agreement.h"

#include <math.h>
#include <stdio.h>

#include "verify.h"

typedef struct agreement {
  bench_subject *subject;
  bench_member *member;
  const bench_problem *problem;
  double tolerance;
  char *note;
  size_t size;
} agreement;

static int accept(const agreement *a, const char *what, const bench_distance *distance) {
  if (bench_distance_is_small(distance, a->tolerance)) return 1;
  snprintf(a->note, a->size, "%s differ from backdag's by %.2g of their norm; %llu of %llu are off",
           what, bench_distance_relative(distance), (unsigned long long)distance->off,
           (unsigned long long)distance->count);
  return 0;
}

static const double *result(const agreement *a, uint64_t offset) {
  return (const double *)(a->problem->results + offset);
}

static int compare_outputs(const agreement *a) {
  const double *y = result(a, a->problem->header.y);
  const uint64_t count = a->problem->header.batch * a->problem->header.outputs;
  bench_distance distance = {0};
  double sum = 0.0;
  for (uint64_t i = 0; i < count; i++) sum += y[i] * y[i];
  for (uint64_t i = 0; i < count; i++)
    bench_distance_add(&distance, y[i], bench_number(a->subject->settings->type, a->member->y, i),
                       sqrt(sum / (double)count));
  return accept(a, "outputs", &distance);
}

/* Gradients of edges or biases in the graph's order, from the network's. */
static double *own_gradient(const agreement *a, int edges, bdag_status *status) {
  const bdag_type type = a->subject->settings->type;
  const bench_graph *graph = a->member->graph;
  const uint64_t count = edges ? graph->edge_count : graph->vertex_count;
  void *raw = bench_allocate(count, bench_type_size(type));
  double *gradient = bench_allocate(count, sizeof *gradient);
  *status = edges ? bdag_read_weight_grad(a->member->engine, 0, count, raw)
                  : bdag_read_bias_grad(a->member->engine, 0, count, raw);
  for (uint64_t i = 0; i < count; i++)
    gradient[i] =
        bench_number(type, raw, edges ? a->member->edge_map[i] : a->member->vertex_map[i]);
  bench_free(raw);
  return gradient;
}

/* `values` are gradients, or with `before` not NULL weights after a step from there. */
static int compare_parameters(const agreement *a, const char *what, int edges, const double *values,
                              const double *before) {
  const double rate = a->problem->header.learning_rate;
  const uint64_t count = edges ? a->member->graph->edge_count : a->member->graph->vertex_count;
  bdag_status status;
  double *expected = own_gradient(a, edges, &status);
  bench_distance distance = {0};
  double sum = 0.0;
  for (uint64_t i = 0; i < count; i++) sum += expected[i] * expected[i];
  for (uint64_t i = 0; i < count; i++) {
    double value = values[i];
    if (before != NULL) {
      /* The weights' last digits limit what can be seen of the gradient. */
      const double slack = 0x1p-22 * fabs(before[i]) / rate;
      value = (before[i] - values[i]) / rate;
      if (fabs(value - expected[i]) <= slack) value = expected[i];
    }
    bench_distance_add(&distance, value, expected[i], sqrt(sum / (double)count));
  }
  bench_free(expected);
  if (status == BDAG_OK) return accept(a, what, &distance);
  snprintf(a->note, a->size, "reading gradients: %s", bdag_status_string(status));
  return 0;
}

int bench_peer_agrees(bench_subject *subject, const bench_problem *problem, bench_phase phase,
                      double tolerance, char *note, size_t size) {
  const agreement a = {subject, &subject->member[0], problem, tolerance, note, size};
  const int backward = phase != BENCH_FORWARD;
  double loss = 0.0;
  const bdag_status status = bench_member_pass(subject, a.member, backward, NULL, &loss);
  if (status != BDAG_OK) {
    snprintf(note, size, "backdag: %s", bdag_status_string(status));
    return 0;
  }
  if (!compare_outputs(&a)) return 0;
  if (!backward) return 1;
  const bench_graph *graph = a.member->graph;
  const peer_header *h = &problem->header;
  const int step = phase == BENCH_STEP;
  const double peer_loss = *result(&a, h->result_loss);
  if (!(fabs(peer_loss - loss) <= tolerance * fabs(loss))) {
    snprintf(note, size, "loss %.9g, backdag has %.9g", peer_loss, loss);
    return 0;
  }
  return compare_parameters(&a, step ? "updates of weights" : "weight gradients", 1,
                            result(&a, h->result_weight), step ? graph->weight : NULL) &&
         compare_parameters(&a, step ? "updates of biases" : "bias gradients", 0,
                            result(&a, h->result_bias), step ? graph->bias : NULL);
}
