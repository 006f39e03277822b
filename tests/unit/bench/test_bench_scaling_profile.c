/* What `bench profile` writes is what the library reads. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "profile.h"

static bdag_cost_profile through_file(const bench_profile *profile) {
  char path[] = "/tmp/bench-profile-XXXXXX";
  const int file = mkstemp(path);
  cr_assert_geq(file, 0);
  close(file);
  bench_machine machine = {.ceilings = {.isa = "avx2"}, .json = json_pack("{s:s}", "cpu", "any")};
  json_t *json = bench_profile_json(profile, &machine);
  cr_assert_not_null(json);
  cr_assert_eq(bench_report_write(json, path), 0);
  json_decref(json);
  json_decref(machine.json);
  bdag_context *context;
  bdag_cost_profile read;
  bdag_error error;
  cr_assert_eq(bdag_context_create(&context, NULL, &error), BDAG_OK);
  cr_assert_eq(bdag_cost_profile_load(&read, context, path, &error), BDAG_OK, "%s", error.message);
  cr_assert_eq(bdag_context_set_costs(context, &read), BDAG_OK);
  bdag_context_destroy(context);
  unlink(path);
  return read;
}

Test(bench_profile, the_library_reads_it) {
  const bench_profile profile = {.threads = 2,
                                 .dense_forward = 5.25e-12,
                                 .dense_backward = 6.5e-12,
                                 .list_forward = 2.5e-11,
                                 .list_backward = 1.75e-11,
                                 .task = 1.5e-7,
                                 .team = 2.25e-6,
                                 .bytes_per_second = {4e11, 1e11, 3e10, 1.5e10}};
  const bdag_cost_profile read = through_file(&profile);
  cr_assert_eq(read.dense_forward, 5.25e-12);
  cr_assert_eq(read.dense_backward, 6.5e-12);
  cr_assert_eq(read.list_forward, 2.5e-11);
  cr_assert_eq(read.list_backward, 1.75e-11);
  cr_assert_eq(read.task, 1.5e-7);
  cr_assert_eq(read.team, 2.25e-6);
  cr_assert_eq(read.bytes_per_second[3], 1.5e10);
}

Test(bench_profile, what_was_not_measured_keeps_the_table) {
  const bench_profile profile = {.dense_forward = NAN,
                                 .dense_backward = NAN,
                                 .list_forward = NAN,
                                 .list_backward = NAN,
                                 .task = NAN,
                                 .team = 0.0};
  const bdag_cost_profile read = through_file(&profile), table = BDAG_COST_PROFILE_INIT;
  cr_assert_eq(read.dense_forward, table.dense_forward);
  cr_assert_eq(read.task, table.task);
  cr_assert_eq(read.team, 0.0);
}
