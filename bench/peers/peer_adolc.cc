/* ADOL-C: the network as a scalar program on a tape, one sample, gradient by the weights and biases. */
#include <adolc/adolc.h>

#include <cstdio>
#include <cstdlib>
#include <vector>

#include <backdag/network.h>

#include "peer_main.h"

namespace {

const short tape = 1;
const peer_problem *problem;
std::vector<double> parameters, gradient, outputs;
double loss;
int dependents, independents;

/* Edges in the order of their targets, so that a vertex is complete when it is read. */
std::vector<uint64_t> edges_by_target() {
  const peer_header *h = problem->header;
  std::vector<uint64_t> first(h->vertices + 1, 0), order(h->edges);
  for (uint64_t e = 0; e < h->edges; e++) first[problem->target[e] + 1]++;
  for (uint64_t v = 0; v < h->vertices; v++) first[v + 1] += first[v];
  for (uint64_t e = 0; e < h->edges; e++) order[first[problem->target[e]]++] = e;
  return order;
}

void record() {
  const peer_header *h = problem->header;
  const std::vector<uint64_t> order = edges_by_target();
  trace_on(tape);
  std::vector<adouble> weight(h->edges), out(h->vertices);
  for (uint64_t e = 0; e < h->edges; e++) weight[e] <<= parameters[e];
  for (uint64_t v = h->inputs; v < h->vertices; v++)
    out[v] <<= parameters[h->edges + v - h->inputs];
  for (uint64_t v = 0; v < h->inputs; v++) out[v] = static_cast<double>(problem->x[v]);
  uint64_t next = 0;
  for (uint64_t v = h->inputs; v < h->vertices; v++) {
    adouble sum = out[v];
    for (; next < h->edges && problem->target[order[next]] == v; next++)
      sum += weight[order[next]] * out[problem->source[order[next]]];
    if (problem->activation[v] == BDAG_TANH)
      out[v] = tanh(sum);
    else
      out[v] = sum;
  }
  /* First the loss, then the outputs as further dependents. */
  adouble total = 0.0;
  for (uint64_t i = 0; i < h->outputs; i++) {
    const adouble difference = out[problem->output[i]] - static_cast<double>(problem->targets[i]);
    total += difference * difference;
  }
  total /= static_cast<double>(h->outputs);
  total >>= loss;
  for (uint64_t i = 0; i < h->outputs; i++) out[problem->output[i]] >>= outputs[i + 1];
  trace_off();
}

const char *prepare(const peer_problem *p, const char **reason) {
  static char description[80];
  problem = p;
  const peer_header *h = p->header;
  *reason = "this program is written for batch 1, tanh and squared error";
  if (h->batch != 1 || h->loss != BDAG_MEAN_SQUARED_ERROR) return nullptr;
  for (uint64_t v = h->inputs; v < h->vertices; v++)
    if (p->activation[v] != BDAG_TANH && p->activation[v] != BDAG_IDENTITY) return nullptr;
  independents = static_cast<int>(h->edges + h->vertices - h->inputs);
  dependents = static_cast<int>(h->outputs) + 1;
  parameters.resize(independents);
  gradient.resize(independents);
  outputs.resize(dependents);
  for (uint64_t e = 0; e < h->edges; e++) parameters[e] = p->weight[e];
  for (uint64_t v = h->inputs; v < h->vertices; v++)
    parameters[h->edges + v - h->inputs] = p->bias[v];
  record();
  std::snprintf(description, sizeof description, "ADOL-C, double, one sample");
  return description;
}

void forward() {
  zos_forward(tape, dependents, independents, 0, parameters.data(), outputs.data());
}

/* The loss alone has weight 1 among the dependents. */
void both() {
  static std::vector<double> weights;
  weights.assign(dependents, 0.0);
  weights[0] = 1.0;
  zos_forward(tape, dependents, independents, 1, parameters.data(), outputs.data());
  fos_reverse(tape, dependents, independents, weights.data(), gradient.data());
}

void publish_forward() {
  for (uint64_t i = 0; i < problem->header->outputs; i++) problem->y[i] = outputs[i + 1];
}

void publish_both() {
  const peer_header *h = problem->header;
  publish_forward();
  *problem->loss = outputs[0];
  for (uint64_t e = 0; e < h->edges; e++) problem->result_weight[e] = gradient[e];
  for (uint64_t v = h->inputs; v < h->vertices; v++)
    problem->result_bias[v] = gradient[h->edges + v - h->inputs];
}

} // namespace

int main() {
  const peer_program program = {prepare,
                                {forward, both, nullptr, nullptr},
                                {publish_forward, publish_both, nullptr, nullptr}};
  return peer_serve(&program);
}
