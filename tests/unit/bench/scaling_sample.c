/* The sample report. May include the bench's data only. */
#include "scaling_sample.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bench_base.h"

static json_t *machine(void) {
  return json_pack("{s:s, s:s, s:b, s:i, s:i, s:n, s:n, s:s, s:s, s:s, s:s, s:{s:s}, s:s, s:s,"
                   " s:f, s:b, s:s}",
                   "cpu", "Sample <CPU> & \"friends\" 3.0 GHz", "topology",
                   "Machine x1, Package x1, L3 32768 KiB x1, L2 1024 KiB x2, Core x2, PU x2", "smt",
                   0, "allowed_processors", 2, "cores", 2, "cgroup_quota", "governor", "kernel",
                   "Linux 6.1 x86_64", "compiler", "gcc 12.2.0", "flags", "buildtype=release",
                   "openmp", "libgomp", "environment", "OMP_WAIT_POLICY", "passive", "version",
                   "0.1.0", "commit", "0123abc", "load_average", 0.04, "busy", 0, "time",
                   "2026-11-25T08:00:00Z");
}

static void add_point(bench_scaling_case *c, uint32_t threads, double seconds, int oversubscribed) {
  bench_scaling_point *p = &c->points[c->point_count++];
  const double one = c->point_count == 1 ? seconds : c->points[0].median;
  const double speedup = one / seconds;
  *p = (bench_scaling_point){
      .threads = threads,
      .oversubscribed = oversubscribed,
      .bitwise_equal = 1,
      .axis = 2,
      .sample_count = 60,
      .median = seconds,
      .minimum = 0.97 * seconds,
      .quartile_low = 0.99 * seconds,
      .quartile_high = 1.02 * seconds,
      .confidence_low = 0.995 * seconds,
      .confidence_high = 1.005 * seconds,
      .speedup = speedup,
      .speedup_serial = c->serial / seconds,
      .efficiency = speedup / threads,
      .karp_flatt = threads == 1 ? NAN : (1.0 / speedup - 1.0 / threads) / (1.0 - 1.0 / threads),
      .overhead = 0.01 * threads,
      .tasks = 2400,
      .task_seconds = 70e-6,
      .peak = 230e9 * (threads < 2 ? threads : 2),
      .level = "memory",
      .bandwidth = 32e9 * (threads < 2 ? threads : 2),
      .backward_forward = NAN,
      .memory = 420u << 20};
}

static bench_scaling_case *add_case(bench_scaling *s, const char *name, double serial) {
  bench_scaling_case *c = bench_scaling_add_case(s);
  snprintf(c->name, sizeof c->name, "%s", name);
  strcpy(c->phase, "both");
  c->batch = 256;
  c->vertices = 123904;
  c->edges = 3932160;
  c->members = 1;
  c->depth = 120;
  c->width = 1024;
  c->edge_samples = (double)c->edges * (double)c->batch;
  c->flops = 5.9 * c->edge_samples;
  c->bytes = 6.5e8;
  c->work = 0.99 * serial;
  c->span = 0.004 * serial;
  c->release = 200e-9;
  c->burdened_span = 0.005 * serial;
  c->parallelism = c->work / c->burdened_span;
  c->bound_flops = 1.99;
  c->serial = serial;
  c->serial_low = 0.99 * serial;
  c->serial_high = 1.01 * serial;
  c->valid = 1;
  return c;
}

static void add_predictions(bench_scaling_case *c, int shown) {
  static const uint32_t threads[] = {8, 32, 128};
  static const bench_limit limits[] = {BENCH_LIMIT_WORK, BENCH_LIMIT_BANDWIDTH, BENCH_LIMIT_SPAN};
  c->check_threads = 2;
  c->check_measured = c->points[1].median;
  c->check_error = shown ? 0.012 : 0.17;
  c->check_predicted = c->check_measured * (1.0 + c->check_error);
  c->predictions_shown = shown;
  for (int i = 0; i < 3; i++) {
    const double seconds = fmax(c->work / threads[i] + c->burdened_span, 0.03 * c->work);
    c->predictions[c->prediction_count++] =
        (bench_prediction){threads[i], seconds, c->points[0].median / seconds, limits[i]};
  }
}

static void add_curves(bench_scaling *s) {
  static const char *const shapes[] = {"chains", "stencil", "random"};
  for (int i = 0; i < 3; i++) {
    bench_metg_curve *curve = bench_scaling_add_metg(s);
    strcpy(curve->shape, shapes[i]);
    curve->threads = 2;
    curve->tasks = 4000;
    curve->metg = (0.2 + 0.1 * i) * 1e-6;
    for (double grain = 50e-9; grain < 60e-6; grain *= 2.0) {
      const double each = grain + 0.5 * curve->metg;
      bench_metg_add_point(curve, (bench_metg_point){grain, each * 4000 / 2, grain / each});
    }
  }
}

static void add_roofline(bench_scaling *s) {
  for (uint32_t threads = 1; threads <= 2; threads++) {
    bench_roofline_ceiling *ceiling = bench_scaling_add_ceiling(s);
    *ceiling = (bench_roofline_ceiling){
        threads,
        230e9 * threads,
        {400e9 * threads, 126e9 * threads, 60e9 * threads, 32e9 * threads}};
    for (uint64_t i = 0; i < 2; i++) {
      const bench_scaling_case *c = &s->cases[i];
      bench_roofline_point *point = bench_scaling_add_roofline(s);
      snprintf(point->name, sizeof point->name, "%s", c->name);
      strcpy(point->phase, c->phase);
      point->batch = c->batch;
      point->threads = threads;
      point->intensity = c->flops / c->bytes;
      point->flops_per_second = c->flops / c->points[threads - 1].median;
    }
  }
}

static void add_edges(bench_scaling *s) {
  static const char *const phases[] = {"forward", "backward"};
  for (int phase = 0; phase < 2; phase++)
    for (uint64_t edges = 1000; edges <= 10000000; edges *= 10) {
      bench_edges_point *point = bench_scaling_add_edges(s);
      strcpy(point->phase, phases[phase]);
      const double seconds = (1 + phase) * (1e-6 + 4e-9 * (double)edges);
      point->vertices = edges / 16;
      point->edges = edges;
      point->batch = 64;
      point->threads = 2;
      point->seconds = seconds;
      point->quartile_low = 0.98 * seconds;
      point->quartile_high = 1.03 * seconds;
    }
}

static void add_peers(bench_scaling *s) {
  static const char *const peers[] = {"openblas", "pytorch", "fann"};
  for (int i = 0; i < 3; i++) {
    bench_peer_ratio *peer = bench_scaling_add_peer(s);
    strcpy(peer->name, "mlp");
    strcpy(peer->phase, "step");
    strcpy(peer->peer, peers[i]);
    peer->batch = 128;
    peer->threads = 2;
    peer->own_seconds = 2e-3;
    peer->ratio = 0.9 * (i + 1) * (i + 1);
    peer->seconds = peer->ratio * peer->own_seconds;
    peer->ratio_low = 0.96 * peer->ratio;
    peer->ratio_high = 1.05 * peer->ratio;
    peer->valid = i != 2;
    if (!peer->valid) strcpy(peer->note, "results disagree by 3e-2");
  }
}

bench_scaling *scaling_sample(void) {
  bench_scaling *s = bench_scaling_create();
  s->machine = machine();
  s->settings = json_pack("{s:s, s:i}", "type", "float32", "seed", 1);
  s->command = bench_format("backdag-bench scaling --threads 1,2,4 --json a.json");
  s->seconds = 412.0;
  s->cores = 2;
  bench_scaling_case *c = add_case(s, "radix-1024", 0.168);
  add_point(c, 1, 0.169, 0);
  add_point(c, 2, 0.0866, 0);
  add_point(c, 4, 0.0893, 1);
  add_predictions(c, 1);
  c = add_case(s, "odd, \"<name>\" & co", 0.020);
  add_point(c, 1, 0.0201, 0);
  add_point(c, 2, 0.0144, 0);
  c->points[1].bitwise_equal = 0;
  c->points[1].noisy = 1;
  add_predictions(c, 0);
  c = add_case(s, "broken", NAN);
  c->valid = 0;
  strcpy(c->note, "WRONG RESULT: out of vertex 3 is 1, the oracle says 2");
  add_curves(s);
  add_roofline(s);
  add_edges(s);
  add_peers(s);
  return s;
}
