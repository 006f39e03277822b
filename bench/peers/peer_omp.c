/* OpenMP: one task with `depend` for each vertex, created in topological order. */
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>

#include "peer_main.h"

static const peer_problem *problem;
enum { MOST = 4 };
static uint32_t (*before)[MOST]; /* predecessors */
static uint8_t *degree;
/* What the dependences name; 8 bytes apart, because libgomp's hash drops the lowest bits. */
static uint64_t *done;

static const char *prepare(const peer_problem *p, const char **reason) {
  static char description[64];
  const uint64_t count = p->header->vertices;
  problem = p;
  before = calloc(count, sizeof *before);
  done = calloc(count, sizeof *done);
  degree = calloc(count, 1);
  for (uint64_t e = 0; e < p->header->edges; e++) {
    const uint32_t v = p->target[e];
    if (degree[v] == MOST) {
      *reason = "written for up to four predecessors a task";
      return NULL;
    }
    before[v][degree[v]++] = p->source[e];
  }
  omp_set_num_threads((int)p->header->threads);
  snprintf(description, sizeof description, "OpenMP %d, task depend, %d threads", _OPENMP,
           (int)p->header->threads);
  return description;
}

static void make_task(uint32_t v) {
  uint64_t *const self = &done[v];
  uint64_t *in[MOST];
  for (int i = 0; i < degree[v]; i++) in[i] = &done[before[v][i]];
  switch (degree[v]) {
  case 0:
#pragma omp task depend(out : self[0])
    __asm__ volatile("" : : "r"(self));
    break;
  case 1:
#pragma omp task depend(in : in[0][0]) depend(out : self[0])
    __asm__ volatile("" : : "r"(self));
    break;
  case 2:
#pragma omp task depend(in : in[0][0], in[1][0]) depend(out : self[0])
    __asm__ volatile("" : : "r"(self));
    break;
  case 3:
#pragma omp task depend(in : in[0][0], in[1][0], in[2][0]) depend(out : self[0])
    __asm__ volatile("" : : "r"(self));
    break;
  default:
#pragma omp task depend(in : in[0][0], in[1][0], in[2][0], in[3][0]) depend(out : self[0])
    __asm__ volatile("" : : "r"(self));
  }
}

static void tasks(void) {
  const uint32_t count = (uint32_t)problem->header->vertices;
#pragma omp parallel
#pragma omp single
  for (uint32_t v = 0; v < count; v++) make_task(v);
}

int main(void) {
  const peer_program program = {prepare, {NULL, NULL, NULL, tasks}, {NULL, NULL, NULL, NULL}};
  return peer_serve(&program);
}
