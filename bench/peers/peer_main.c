/* Mapping of problem and results, and the loop over commands. */
#include "peer_main.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void *map(int descriptor, int protection, int flags) {
  struct stat status;
  if (fstat(descriptor, &status) != 0) return NULL;
  void *memory = mmap(NULL, (size_t)status.st_size, protection, flags, descriptor, 0);
  return memory == MAP_FAILED ? NULL : memory;
}

static int open_problem(peer_problem *p) {
  char *base = map(PEER_PROBLEM_FD, PROT_READ, MAP_PRIVATE);
  char *results = map(PEER_RESULT_FD, PROT_READ | PROT_WRITE, MAP_SHARED);
  if (base == NULL || results == NULL) return 0;
  const peer_header *h = (const peer_header *)base;
  if (h->magic != PEER_MAGIC) return 0;
  p->header = h;
  p->layer_first = (const uint32_t *)(base + h->layer_first);
  p->activation = (const uint32_t *)(base + h->activation);
  p->bias = (const float *)(base + h->bias);
  p->source = (const uint32_t *)(base + h->source);
  p->target = (const uint32_t *)(base + h->target);
  p->weight = (const float *)(base + h->weight);
  p->output = (const uint32_t *)(base + h->output);
  p->x = (const float *)(base + h->x);
  p->targets = (const float *)(base + h->targets);
  p->y = (double *)(results + h->y);
  p->loss = (double *)(results + h->result_loss);
  p->result_weight = (double *)(results + h->result_weight);
  p->result_bias = (double *)(results + h->result_bias);
  return 1;
}

static int phase_of(const char *name) {
  static const char *const names[PEER_PHASES] = {"forward", "both", "step", "tasks"};
  for (int i = 0; i < PEER_PHASES; i++)
    if (strcmp(names[i], name) == 0) return i;
  return -1;
}

static void answer(const peer_program *program, const char *command, const char *name,
                   unsigned long long count) {
  const int phase = phase_of(name);
  if (phase < 0 || program->run[phase] == NULL) {
    printf("no phase %s\n", name);
  } else if (strcmp(command, "check") == 0) {
    program->run[phase]();
    if (program->publish[phase] != NULL) program->publish[phase]();
    puts("ok");
  } else {
    const double begin = now();
    for (unsigned long long i = 0; i < count; i++) program->run[phase]();
    printf("ok %.9g\n", now() - begin);
  }
}

int peer_serve(const peer_program *program) {
  peer_problem problem;
  const char *reason = "unknown";
  char line[128], command[16], name[16];
  setvbuf(stdout, NULL, _IOLBF, 0);
  if (!open_problem(&problem)) {
    fputs("a peer of backdag-bench: it is started by `backdag-bench peers`\n", stderr);
    return 2;
  }
  const char *description = program->prepare(&problem, &reason);
  if (description == NULL) {
    printf("no %s\n", reason);
    return 0;
  }
  printf("ready %s\n", description);
  while (fgets(line, sizeof line, stdin) != NULL) {
    unsigned long long count = 1;
    if (sscanf(line, "%15s %15s %llu", command, name, &count) < 2) return 0;
    answer(program, command, name, count);
  }
  return 0;
}

int peer_dense_weights(const peer_problem *p, float **weight, uint64_t **edge_of, uint64_t *count) {
  const peer_header *h = p->header;
  uint64_t total = 0;
  if (h->layers < 2) return 0;
  uint64_t *block = calloc(h->layers, sizeof *block);
  uint32_t *layer_of = calloc(h->vertices, sizeof *layer_of);
  for (uint64_t l = 0; l < h->layers; l++) {
    for (uint32_t v = p->layer_first[l]; v < p->layer_first[l + 1]; v++) layer_of[v] = (uint32_t)l;
    block[l] = total;
    if (l + 1 < h->layers)
      total += (uint64_t)(p->layer_first[l + 1] - p->layer_first[l]) *
               (p->layer_first[l + 2] - p->layer_first[l + 1]);
  }
  *weight = calloc(total, sizeof **weight);
  *edge_of = malloc(total * sizeof **edge_of);
  for (uint64_t i = 0; i < total; i++) (*edge_of)[i] = PEER_NO_EDGE;
  *count = total;
  int dense = 1;
  for (uint64_t e = 0; e < h->edges && dense; e++) {
    const uint32_t l = layer_of[p->source[e]];
    dense = layer_of[p->target[e]] == l + 1;
    if (!dense) break;
    const uint64_t width = p->layer_first[l + 1] - p->layer_first[l];
    const uint64_t i = block[l] + (p->target[e] - p->layer_first[l + 1]) * width +
                       (p->source[e] - p->layer_first[l]);
    (*weight)[i] = p->weight[e];
    (*edge_of)[i] = e;
  }
  free(block);
  free(layer_of);
  return dense;
}
