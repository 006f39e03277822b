/* One set of networks and plans, several sets of engines. May include subject. */
#include <string.h>

#include "scaling_run.h"

bench_subject *bench_subject_clone(const bench_subject *subject, const bench_settings *settings,
                                   uint64_t batch, uint32_t threads, int step, bdag_error *error) {
  bench_subject *clone = bench_allocate(1, sizeof *clone);
  *clone = *subject;
  clone->settings = settings;
  clone->population = NULL;
  clone->member = bench_allocate(subject->member_count, sizeof *clone->member);
  for (uint64_t i = 0; i < subject->member_count; i++) {
    clone->member[i] = subject->member[i];
    clone->member[i].weights = clone->member[i].trained = NULL;
    clone->member[i].engine = NULL;
    clone->member[i].trainer = NULL;
    clone->member[i].x = clone->member[i].y = clone->member[i].targets = NULL;
  }
  if (bench_subject_configure(clone, batch, threads, step) == BDAG_OK) return clone;
  *error = clone->error;
  bench_subject_release_clone(clone);
  return NULL;
}

void bench_subject_release_clone(bench_subject *clone) {
  if (clone == NULL) return;
  for (uint64_t i = 0; i < clone->member_count; i++) bench_member_unconfigure(&clone->member[i]);
  bench_free(clone->population);
  bench_free(clone->member);
  bench_free(clone);
}
