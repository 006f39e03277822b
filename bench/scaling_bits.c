/* Is the result bitwise the same for every number of threads? May include subject. */
#include <string.h>

#include "scaling_run.h"

/* Everything that a pass computes, one after the other. */
typedef struct bits {
  char *bytes;
  size_t size, capacity;
  bdag_status status;
} bits;

static void *more(bits *b, size_t size) {
  if (b->capacity - b->size < size) {
    b->capacity = 2 * b->capacity + size;
    char *grown = bench_allocate(b->capacity, 1);
    if (b->size > 0) memcpy(grown, b->bytes, b->size);
    bench_free(b->bytes);
    b->bytes = grown;
  }
  b->size += size;
  return b->bytes + b->size - size;
}

static void note(bits *b, bdag_status status) {
  if (b->status == BDAG_OK) b->status = status;
}

static void collect_member(bits *b, bench_subject *subject, bench_member *member, int backward) {
  const size_t size = bench_type_size(subject->settings->type);
  double loss = 0.0;
  note(b, bench_member_pass(subject, member, backward, NULL, &loss));
  if (b->status != BDAG_OK) return;
  const size_t outputs = subject->batch * bdag_plan_output_count(member->plan) * size;
  if (outputs > 0) memcpy(more(b, outputs), member->y, outputs);
  if (!backward) return;
  memcpy(more(b, sizeof loss), &loss, sizeof loss);
  const uint64_t edges = bdag_network_edge_count(member->network);
  const uint64_t vertices = bdag_network_vertex_count(member->network);
  note(b, bdag_read_weight_grad(member->engine, 0, edges, more(b, edges * size)));
  note(b, bdag_read_bias_grad(member->engine, 0, vertices, more(b, vertices * size)));
}

static bits collect(bench_scaling_run *run, bench_subject *subject, uint64_t batch, int backward,
                    uint32_t threads) {
  bench_settings settings = *run->settings;
  settings.deterministic = 1;
  bits b = {0};
  bdag_error error;
  bench_subject *clone = bench_subject_clone(subject, &settings, batch, threads, 0, &error);
  if (clone == NULL) b.status = BDAG_ERROR_OUT_OF_MEMORY;
  for (uint64_t i = 0; clone != NULL && i < clone->member_count; i++)
    collect_member(&b, clone, &clone->member[i], backward);
  bench_subject_release_clone(clone);
  return b;
}

void bench_scaling_compare_bits(bench_scaling_run *run, bench_subject *subject, uint64_t batch,
                                int backward, int *equal) {
  const bits one = collect(run, subject, batch, backward, run->threads[0]);
  equal[0] = one.status == BDAG_OK ? 1 : -1;
  for (uint32_t t = 1; t < run->thread_count; t++) {
    const bits other = collect(run, subject, batch, backward, run->threads[t]);
    equal[t] = -1;
    if (one.status == BDAG_OK && other.status == BDAG_OK)
      equal[t] = one.size == other.size && memcmp(one.bytes, other.bytes, one.size) == 0;
    bench_free(other.bytes);
  }
  bench_free(one.bytes);
}
