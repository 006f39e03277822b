/* OpenMP: one task with `depend` for each vertex, created in topological order. */
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>

#include "peer_main.h"

static const peer_problem *problem;
static uint32_t (*before)[2]; /* both predecessors; a vertex without: itself */
/* What the dependences name; 8 bytes apart, because libgomp's hash drops the lowest bits. */
static uint64_t *done;

static const char *prepare(const peer_problem *p, const char **reason) {
  static char description[64];
  const uint64_t count = p->header->vertices;
  problem = p;
  before = calloc(count, sizeof *before);
  done = calloc(count, sizeof *done);
  uint8_t *degree = calloc(count, 1);
  for (uint32_t v = 0; v < count; v++) before[v][0] = before[v][1] = v;
  for (uint64_t e = 0; e < p->header->edges; e++) {
    const uint32_t v = p->target[e];
    if (degree[v] == 2) {
      *reason = "written for two predecessors a task";
      return NULL;
    }
    before[v][degree[v]++] = p->source[e];
  }
  free(degree);
  omp_set_num_threads((int)p->header->threads);
  snprintf(description, sizeof description, "OpenMP %d, task depend, %d threads", _OPENMP,
           (int)p->header->threads);
  return description;
}

static void tasks(void) {
  const uint32_t count = (uint32_t)problem->header->vertices;
#pragma omp parallel
#pragma omp single
  for (uint32_t v = 0; v < count; v++) {
    uint64_t *const self = &done[v];
    if (before[v][0] == v) {
#pragma omp task depend(out : self[0])
      __asm__ volatile("" : : "r"(self));
    } else {
      uint64_t *const a = &done[before[v][0]], *const b = &done[before[v][1]];
      (void)a, (void)b;
#pragma omp task depend(in : a[0], b[0]) depend(out : self[0])
      __asm__ volatile("" : : "r"(self));
    }
  }
}

int main(void) {
  const peer_program program = {prepare, {NULL, NULL, NULL, tasks}, {NULL, NULL, NULL, NULL}};
  return peer_serve(&program);
}
