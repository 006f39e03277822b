/* The problem for peers in shared memory. */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "peer_process.h"

static uint64_t place(uint64_t *end, uint64_t bytes) {
  const uint64_t begin = (*end + 63) / 64 * 64;
  *end = begin + bytes;
  return begin;
}

static void lay_out(peer_header *h) {
  uint64_t end = sizeof *h;
  h->magic = PEER_MAGIC;
  h->layer_first = place(&end, (h->layers + 1) * sizeof(uint32_t));
  h->activation = place(&end, h->vertices * sizeof(uint32_t));
  h->bias = place(&end, h->vertices * sizeof(float));
  h->source = place(&end, h->edges * sizeof(uint32_t));
  h->target = place(&end, h->edges * sizeof(uint32_t));
  h->weight = place(&end, h->edges * sizeof(float));
  h->output = place(&end, h->outputs * sizeof(uint32_t));
  h->x = place(&end, h->batch * h->inputs * sizeof(float));
  h->targets = place(&end, h->batch * h->target_columns * sizeof(float));
  h->size = end;
  end = 0;
  h->y = place(&end, h->batch * h->outputs * sizeof(double));
  h->result_loss = place(&end, sizeof(double));
  h->result_weight = place(&end, h->edges * sizeof(double));
  h->result_bias = place(&end, h->vertices * sizeof(double));
  h->result_size = end;
}

static void *shared(const char *name, uint64_t size, int *descriptor) {
  *descriptor = memfd_create(name, MFD_CLOEXEC);
  if (*descriptor < 0) return NULL;
  if (ftruncate(*descriptor, (off_t)size) != 0) return NULL;
  void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, *descriptor, 0);
  return memory == MAP_FAILED ? NULL : memory;
}

static void write_floats(char *base, uint64_t offset, const double *values, uint64_t count) {
  float *floats = (float *)(base + offset);
  for (uint64_t i = 0; i < count; i++) floats[i] = (float)values[i];
}

static void write_graph(char *base, const peer_header *h, const bench_graph *graph) {
  if (h->layers > 0)
    memcpy(base + h->layer_first, graph->layer_first, (h->layers + 1) * sizeof(uint32_t));
  memcpy(base + h->activation, graph->activation, h->vertices * sizeof(uint32_t));
  write_floats(base, h->bias, graph->bias, h->vertices);
  memcpy(base + h->source, graph->source, h->edges * sizeof(uint32_t));
  memcpy(base + h->target, graph->target, h->edges * sizeof(uint32_t));
  write_floats(base, h->weight, graph->weight, h->edges);
  if (h->outputs > 0) memcpy(base + h->output, graph->output, h->outputs * sizeof(uint32_t));
}

/* Maps both memories; returns the problem's, to be unmapped when it is written. */
static char *open_memories(bench_problem *problem) {
  lay_out(&problem->header);
  char *base = shared("backdag-problem", problem->header.size, &problem->problem_fd);
  problem->results = shared("backdag-results", problem->header.result_size, &problem->result_fd);
  if (base != NULL) memcpy(base, &problem->header, sizeof problem->header);
  return problem->results != NULL ? base : NULL;
}

static void count_graph(peer_header *h, const bench_graph *graph) {
  h->vertices = graph->vertex_count;
  h->inputs = graph->input_count;
  h->outputs = graph->output_count;
  h->edges = graph->edge_count;
  h->layers = graph->layer_count;
  h->loss = graph->loss;
}

int bench_problem_create(bench_problem *problem, const bench_subject *subject,
                         double learning_rate) {
  const bench_member *member = &subject->member[0];
  const bdag_type type = subject->settings->type;
  memset(problem, 0, sizeof *problem);
  problem->problem_fd = problem->result_fd = -1;
  peer_header *h = &problem->header;
  count_graph(h, member->graph);
  h->threads = subject->threads;
  h->batch = subject->batch;
  h->target_columns = bdag_plan_target_count(member->plan);
  h->learning_rate = learning_rate;
  char *base = open_memories(problem);
  if (base == NULL) return -1;
  write_graph(base, h, member->graph);
  float *x = (float *)(base + h->x), *targets = (float *)(base + h->targets);
  for (uint64_t i = 0; i < h->batch * h->inputs; i++)
    x[i] = (float)bench_number(type, member->x, i);
  for (uint64_t i = 0; i < h->batch * h->target_columns; i++)
    targets[i] = (float)bench_number(type, member->targets, i);
  munmap(base, h->size);
  return 0;
}

int bench_problem_create_tasks(bench_problem *problem, const bench_graph *graph, uint32_t threads) {
  memset(problem, 0, sizeof *problem);
  problem->problem_fd = problem->result_fd = -1;
  count_graph(&problem->header, graph);
  problem->header.threads = threads;
  char *base = open_memories(problem);
  if (base == NULL) return -1;
  write_graph(base, &problem->header, graph);
  munmap(base, problem->header.size);
  return 0;
}

void bench_problem_destroy(bench_problem *problem) {
  if (problem->results != NULL) munmap(problem->results, problem->header.result_size);
  if (problem->problem_fd >= 0) close(problem->problem_fd);
  if (problem->result_fd >= 0) close(problem->result_fd);
  problem->results = NULL;
  problem->problem_fd = problem->result_fd = -1;
}
