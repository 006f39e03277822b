/* The protocol with peers, spoken by scripts: good ones, refusing ones, dying ones. */
#include <criterion/criterion.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "peer_agreement.h"
#include "peer_process.h"
#include "peer_tasks.h"

static char folder[] = "/tmp/backdag-peers-XXXXXX";
static bench_graph *graph;
static bench_problem problem;
static bench_peer peer;

static void set_up(void) {
  cr_assert_not_null(mkdtemp(folder));
  setenv("BACKDAG_BENCH_PEERS", folder, 1);
  graph = bench_build_tasks(10, 1);
  cr_assert_eq(bench_problem_create_tasks(&problem, graph, 1), 0);
}
static void tear_down(void) {
  char path[128];
  bench_peer_stop(&peer);
  bench_problem_destroy(&problem);
  bench_graph_destroy(graph);
  snprintf(path, sizeof path, "%s/peer", folder);
  remove(path);
  rmdir(folder);
}
TestSuite(peers, .init = set_up, .fini = tear_down, .timeout = 20);

static int start(const char *script) {
  char path[128];
  snprintf(path, sizeof path, "%s/peer", folder);
  FILE *file = fopen(path, "w");
  cr_assert_not_null(file);
  fprintf(file, "#!/bin/sh\n%s\n", script);
  fclose(file);
  chmod(path, 0755);
  return bench_peer_start(&peer, "fake", "peer", NULL, &problem, 1, 0);
}

Test(peers, answers_in_order) {
  cr_assert(start("echo ready to go\n"
                  "read a b c; test \"$a $b\" = 'check forward' && echo ok\n"
                  "read a b c; test \"$a $b $c\" = 'run both 7' && echo ok 0.25\n"
                  "read a b c; echo no memory"),
            "%s", peer.description);
  cr_assert_str_eq(peer.description, "to go");
  cr_assert(bench_peer_check(&peer, "forward"));
  cr_assert_eq(bench_peer_run(&peer, "both", 7), 0.25);
  cr_assert_not(bench_peer_check(&peer, "step"));
  cr_assert_str_eq(peer.description, "memory");
}

Test(peers, is_not_here) {
  cr_assert_not(bench_peer_start(&peer, "fake", "nowhere", NULL, &problem, 1, 0));
  cr_assert_not_null(strstr(peer.description, "not"));
  cr_assert_not(bench_peer_is_here("nowhere"));
}

Test(peers, refuses) {
  cr_assert_not(start("echo no such library"));
  cr_assert_str_eq(peer.description, "such library");
}

Test(peers, dies_at_once) {
  cr_assert_not(start("exit 3"));
  cr_assert_str_eq(peer.description, "the process ended");
}

Test(peers, dies_while_it_runs) {
  cr_assert(start("echo ready; read a"), "%s", peer.description);
  cr_assert(isnan(bench_peer_run(&peer, "forward", 1)));
  cr_assert(isnan(bench_peer_run(&peer, "forward", 1)));
}

Test(peers, nonsense_is_no_time) {
  cr_assert(start("echo ready x; read a; echo ok soon; read a; echo; read a"), "%s",
            peer.description);
  cr_assert(isnan(bench_peer_run(&peer, "forward", 1)));
  cr_assert(isnan(bench_peer_run(&peer, "forward", 1)));
}

Test(peers, one_that_hangs_is_ended) {
  cr_assert(start("echo ready; exec sleep 1000"), "%s", peer.description);
  const pid_t process = peer.process;
  bench_peer_stop(&peer);
  cr_assert_neq(kill(process, 0), 0);
}

Test(peers, gets_threads_and_no_stray_presets) {
  setenv("NVPL_BLAS_DEBUG_CPU_TYPE", "1", 1);
  setenv("OMP_PROC_BIND", "true", 1);
  cr_assert(start("echo ready $OMP_NUM_THREADS $OPENBLAS_NUM_THREADS"
                  "[$NVPL_BLAS_DEBUG_CPU_TYPE$OMP_PROC_BIND]; read a"),
            "%s", peer.description);
  cr_assert_str_eq(peer.description, "1 1[]");
}

Test(peers, finds_the_problem) {
  /* The first eight bytes are the magic word. */
  cr_assert(start("echo ready $(head -c 8 <&3); read a"), "%s", peer.description);
  cr_assert_str_eq(peer.description, "BDAGPEER");
}

/* Results as a peer would leave them, with one gradient off by `error`. */
static void fill_results(const bench_problem *p, bench_subject *subject, int step, double error) {
  bench_member *member = &subject->member[0];
  const bench_graph *own = member->graph;
  double loss;
  float gradient[88], bias[32];
  cr_assert_eq(bench_member_pass(subject, member, 1, NULL, &loss), BDAG_OK);
  cr_assert_eq(bdag_read_weight_grad(member->engine, 0, 88, gradient), BDAG_OK);
  cr_assert_eq(bdag_read_bias_grad(member->engine, 0, own->vertex_count, bias), BDAG_OK);
  double *y = (double *)(p->results + p->header.y);
  double *weights = (double *)(p->results + p->header.result_weight);
  double *biases = (double *)(p->results + p->header.result_bias);
  for (int i = 0; i < 4; i++) y[i] = ((float *)member->y)[i];
  *(double *)(p->results + p->header.result_loss) = loss;
  for (uint64_t e = 0; e < 88; e++) {
    const double g = gradient[member->edge_map[e]] + (e == 40 ? error : 0.0);
    weights[e] = step ? (float)(own->weight[e] - 0.01 * g) : g;
  }
  for (uint32_t v = 0; v < own->vertex_count; v++) {
    const double g = bias[member->vertex_map[v]];
    biases[v] = step ? (float)(own->bias[v] - 0.01 * g) : g;
  }
}

static int agrees_with(double error, bench_phase phase) {
  char note[200] = "";
  bench_settings settings = bench_settings_default();
  bdag_context *context = bench_context_create(&settings, 1);
  bench_subject *subject = bench_subject_create(context, &settings, bench_case_find("small"), NULL);
  cr_assert_not_null(subject);
  cr_assert_eq(bench_subject_configure(subject, 4, 1, 0), BDAG_OK);
  bench_problem p;
  cr_assert_eq(bench_problem_create(&p, subject, 0.01), 0);
  fill_results(&p, subject, phase == BENCH_STEP, error);
  const int result = bench_peer_agrees(subject, &p, phase, 1e-4, note, sizeof note);
  bench_problem_destroy(&p);
  bench_subject_destroy(subject);
  bdag_context_destroy(context);
  return result;
}

Test(agreement, of_gradients) {
  cr_assert(agrees_with(0.0, BENCH_BOTH));
  cr_assert_not(agrees_with(0.01, BENCH_BOTH));
}

Test(agreement, of_steps) {
  cr_assert(agrees_with(0.0, BENCH_STEP));
  cr_assert_not(agrees_with(0.01, BENCH_STEP));
}
