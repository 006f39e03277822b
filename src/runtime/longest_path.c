/* The longest path over a graph of tasks with measured times. May include plan and below. */
#include <stdlib.h>

#include "runtime/trace_internal.h"

double bdag_longest_path(const bdag_task_graph *graph, const double *cost, double release,
                         double *finish, uint32_t *from, uint32_t *last) {
  double longest = 0;
  *last = BDAG_NO_TASK;
  for (uint32_t t = 0; t < graph->count; t++) {
    finish[t] = 0; /* when it may begin, until its turn comes */
    from[t] = BDAG_NO_TASK;
  }
  for (uint32_t t = 0; t < graph->count; t++) {
    finish[t] += cost[t];
    if (*last == BDAG_NO_TASK || finish[t] > longest) {
      longest = finish[t];
      *last = t;
    }
    for (uint64_t i = graph->offset[t]; i < graph->offset[t + 1]; i++) {
      const uint32_t successor = graph->successor[i];
      if (from[successor] != BDAG_NO_TASK && finish[t] + release <= finish[successor]) continue;
      finish[successor] = finish[t] + release;
      from[successor] = t;
    }
  }
  return longest;
}

static int compare_values(const void *a, const void *b) {
  const double left = *(const double *)a, right = *(const double *)b;
  return (left > right) - (left < right);
}

double bdag_median(double *values, uint64_t count) {
  if (count == 0) return 0;
  qsort(values, count, sizeof *values, compare_values);
  return count % 2 != 0 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}
