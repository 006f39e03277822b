/* The scaling report as text, at most 100 columns. May include scaling_run. */
#include <math.h>
#include <string.h>

#include "scaling_run.h"

static void print_number(char *text, size_t size, const char *format, double value) {
  if (isfinite(value))
    snprintf(text, size, format, value);
  else
    snprintf(text, size, "-");
}

/* Three digits. */
static void print_three(char *text, size_t size, double value) {
  print_number(text, size, value < 9.995 ? "%.2f" : value < 99.95 ? "%.1f" : "%.0f", value);
}

static void print_seconds(char text[16], double seconds) {
  if (isfinite(seconds))
    bench_print_seconds(text, seconds);
  else
    strcpy(text, "-");
}

static void print_point(FILE *stream, const bench_scaling_case *c, const bench_scaling_point *p) {
  char time[16], iqr[12], rate[12], flops[12], peak[12], bytes[12], share[12], ratio[12],
      memory[16], speedup[12], serial[12], efficiency[12], fraction[12], task[16], overhead[12],
      tasks[12];
  const double spread = (p->quartile_high - p->quartile_low) / p->median;
  print_seconds(time, p->median);
  print_number(iqr, sizeof iqr, spread < 0.0995 ? "%.1f" : "%.0f", 100.0 * fmin(spread, 9.99));
  print_three(rate, sizeof rate, 1e-9 * c->edge_samples / p->median);
  print_number(flops, sizeof flops, "%.0f", 1e-9 * c->flops / p->median);
  print_number(peak, sizeof peak, "%.0f", 100.0 * c->flops / p->median / p->peak);
  print_number(bytes, sizeof bytes, "%.1f", 1e-9 * c->bytes / p->median);
  if (p->level != NULL && p->bandwidth > 0.0)
    snprintf(share, sizeof share, "%.0f%%%.3s", 100.0 * c->bytes / p->median / p->bandwidth,
             strcmp(p->level, "memory") == 0 ? "mem" : p->level);
  else
    strcpy(share, "-");
  print_number(ratio, sizeof ratio, "%.2f", p->backward_forward);
  bench_print_bytes(memory, (double)p->memory);
  print_three(speedup, sizeof speedup, p->speedup);
  print_three(serial, sizeof serial, p->speedup_serial);
  print_number(efficiency, sizeof efficiency, "%.0f", 100.0 * p->efficiency);
  print_number(fraction, sizeof fraction, "%.3f", p->karp_flatt);
  print_number(tasks, sizeof tasks, p->tasks < 100000 ? "%.0f" : "%.0fk",
               (double)p->tasks / (p->tasks < 100000 ? 1.0 : 1e3));
  print_seconds(task, p->task_seconds);
  print_number(overhead, sizeof overhead, "%.0f", 100.0 * p->overhead);
  fprintf(stream, "%3u%c %7s %3s%c %5s %4s %4s %5s %6s %4s %6s %4s %4s %3s %6s %5s %7s %3s %s\n",
          p->threads, p->oversubscribed ? '*' : ' ', time, iqr, p->noisy ? '!' : ' ', rate, flops,
          peak, bytes, share, ratio, memory, speedup, serial, efficiency, fraction, tasks, task,
          overhead,
          p->bitwise_equal < 0 ? "?"
          : p->bitwise_equal   ? "="
                               : "!=");
}

static void print_shape(FILE *stream, const bench_scaling_case *c) {
  char work[16], span[16], release[16], serial[16], parallelism[12];
  fprintf(stream, "\n%s, %s, batch %llu: V %llu, E %llu", c->name, c->phase,
          (unsigned long long)c->batch, (unsigned long long)c->vertices,
          (unsigned long long)c->edges);
  if (c->members > 1) fprintf(stream, " in %llu nets", (unsigned long long)c->members);
  fprintf(stream, ", depth %llu, width %llu\n", (unsigned long long)c->depth,
          (unsigned long long)c->width);
  if (!c->valid) {
    fprintf(stream, "  INVALID: %.86s\n", c->note);
    return;
  }
  print_seconds(work, c->work);
  print_seconds(span, c->burdened_span);
  print_seconds(release, c->release);
  print_seconds(serial, c->serial);
  print_number(parallelism, sizeof parallelism, "%.3g", c->parallelism);
  fprintf(stream, "  serial path %s; work %s, burdened span %s (release %s), parallelism %s\n",
          serial, work, span, release, parallelism);
}

static void print_predictions(FILE *stream, const bench_scaling_case *c) {
  if (!(c->check_predicted > 0.0)) return;
  char predicted[16], measured[16];
  print_seconds(predicted, c->check_predicted);
  print_seconds(measured, c->check_measured);
  fprintf(stream, "  formula at %u threads: %s, measured %s (%+.1f %%)", c->check_threads,
          predicted, measured, 100.0 * c->check_error);
  if (!c->predictions_shown) {
    fputs(": off by more than 5 %, no predictions\n", stream);
    return;
  }
  static const char *const limits[] = {"work", "span", "bytes"};
  fputs("\n  predicted at", stream);
  for (uint32_t i = 0; i < c->prediction_count; i++) {
    const bench_prediction *p = &c->predictions[i];
    char speedup[12];
    print_seconds(predicted, p->seconds);
    print_three(speedup, sizeof speedup, p->speedup);
    fprintf(stream, "%s %u: %s %sx (%s)", i > 0 ? ";" : "", p->threads, predicted, speedup,
            limits[p->limit]);
  }
  fputc('\n', stream);
}

void bench_scaling_print_case(FILE *stream, const bench_scaling_case *c) {
  print_shape(stream, c);
  if (!c->valid) return;
  fprintf(stream, "%3s  %7s %3s  %5s %4s %4s %5s %6s %4s %6s %4s %4s %3s %6s %5s %7s %3s\n", "t",
          "time", "IQ%", "Ges/s", "GF/s", "peak", "GB/s", "of bw", "b/f", "memory", "x1", "xser",
          "eff", "K-F", "tasks", "task", "ov%");
  for (uint32_t i = 0; i < c->point_count; i++) print_point(stream, c, &c->points[i]);
  print_predictions(stream, c);
}

static void print_metg(FILE *stream, const bench_scaling *scaling) {
  if (scaling->metg_count == 0) return;
  fputs("\nMETG(50 %), a vertex a task through the engine: threads x time / tasks where half is "
        "work\n",
        stream);
  for (uint64_t i = 0; i < scaling->metg_count; i++) {
    const bench_metg_curve *curve = &scaling->metg[i];
    char time[16];
    print_seconds(time, curve->metg);
    fprintf(stream, "  %-8s %4u threads %8s   (%llu tasks)\n", curve->shape, curve->threads, time,
            (unsigned long long)curve->tasks);
  }
}

static void print_edges(FILE *stream, const bench_scaling *scaling) {
  if (scaling->edges_count == 0) return;
  fputs("\nTime over edges: irregular graphs\n", stream);
  fprintf(stream, "  %-8s %10s %10s %5s %7s %9s %14s\n", "phase", "V", "E", "batch", "threads",
          "time", "ps/edge.sample");
  for (uint64_t i = 0; i < scaling->edges_count; i++) {
    const bench_edges_point *point = &scaling->edges[i];
    char time[16];
    print_seconds(time, point->seconds);
    fprintf(stream, "  %-8s %10llu %10llu %5llu %7u %9s %14.1f\n", point->phase,
            (unsigned long long)point->vertices, (unsigned long long)point->edges,
            (unsigned long long)point->batch, point->threads, time,
            1e12 * point->seconds / (double)point->edges / (double)point->batch);
  }
}

static void print_roofline(FILE *stream, const bench_scaling *scaling) {
  if (scaling->roofline_count == 0) return;
  fputs("\nRoofline: useful flops a byte, reached, and what compute and memory would allow\n",
        stream);
  for (uint64_t i = 0; i < scaling->roofline_count; i++) {
    const bench_roofline_point *point = &scaling->roofline[i];
    double flops = NAN, memory = NAN;
    for (uint64_t k = 0; k < scaling->ceiling_count; k++)
      if (scaling->ceilings[k].threads == point->threads) {
        flops = scaling->ceilings[k].flops_per_second;
        memory = point->intensity * scaling->ceilings[k].bytes_per_second[BENCH_ROOF_MEMORY];
      }
    fprintf(stream,
            "  %-15.15s %-8s %3u threads %7.2f flop/B %7.1f GFLOP/s of %.0f, from memory %.0f\n",
            point->name, point->phase, point->threads, point->intensity,
            1e-9 * point->flops_per_second, 1e-9 * flops, 1e-9 * memory);
  }
}

void bench_scaling_print_rest(FILE *stream, const bench_scaling *scaling) {
  print_metg(stream, scaling);
  print_edges(stream, scaling);
  print_roofline(stream, scaling);
  fprintf(stream, "\nThe report took %.0f s.\n", scaling->seconds);
  fputs("* more threads than cores. IQ%: quartiles apart, ! noisy. Ges/s: 10^9 edge-samples\n"
        "a second. of bw: share of the bandwidth of the level that holds the bytes. x1, xser: "
        "speed-up\n"
        "against 1 thread and against the serial path. eff: efficiency in %. K-F: serial fraction "
        "by Karp\n"
        "and Flatt. ov%: share of threads x time that is no work of tasks. Last column: "
        "deterministic\n"
        "results bitwise equal (=) to those of 1 thread or not (!=).\n"
        "Predictions: each pass by (work - span) / threads + burdened span or its tiles shared "
        "out, all of\n"
        "never more than work, with the measured inflation of work on several threads; a "
        "population\n"
        "takes work / threads or its dearest net; all no less than bytes / bandwidth of all cores; "
        "in\n"
        "brackets what limits.\n",
        stream);
}
