/* A finished scaling report as plain data: what the text table, CSV, JSON, plots and HTML are made of.
 * Unknown numbers are NaN, unknown counts and pointers 0; nothing here measures or draws.
 * JSON has the same names under "scaling" (scaling_json.h). Includes only jansson. */
#ifndef BENCH_SCALING_DATA_H
#define BENCH_SCALING_DATA_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

enum { BENCH_SCALING_POINTS = 16, BENCH_SCALING_PREDICTIONS = 8, BENCH_SCALING_NAME = 48 };

/* One number of threads of one case. */
typedef struct bench_scaling_point {
  uint32_t threads;
  int oversubscribed; /* more threads than allowed cores: to be marked */
  int noisy;
  int bitwise_equal; /* deterministic results, memcmp with 1 thread: 1 equal, 0 not, −1 unknown */
  int axis;          /* bdag_axis that was taken */
  uint64_t sample_count;                               /* of times */
  double median, minimum, quartile_low, quartile_high; /* seconds of one pass */
  double confidence_low, confidence_high;              /* 95 % interval of the median */
  double speedup;                                      /* against 1 thread */
  double speedup_serial;                               /* against the serial path without OpenMP */
  double efficiency;                                   /* speedup / threads */
  double karp_flatt; /* serial fraction (1/speedup − 1/threads) / (1 − 1/threads); NaN for 1 */
  double overhead;   /* share of threads × time that is not work of tasks: scheduling, waiting */
  uint64_t tasks;    /* run in one pass */
  double task_seconds;     /* mean of a task */
  double peak;             /* measured flop/s of that many threads */
  const char *level;       /* cache level, or "memory", that holds the bytes; NULL unknown */
  double bandwidth;        /* measured bytes/s of that level and that many threads */
  double backward_forward; /* ratio of the medians; NaN unless the phases were measured apart */
  uint64_t memory;         /* bytes of plan and engine */
} bench_scaling_point;

typedef enum bench_limit {
  BENCH_LIMIT_WORK = 0,     /* work shared by the threads */
  BENCH_LIMIT_SPAN = 1,     /* the burdened span: the longest chain of tasks and releases */
  BENCH_LIMIT_BANDWIDTH = 2 /* bytes moved over the memory bandwidth of all cores */
} bench_limit;

/* A prediction, never a measurement. */
typedef struct bench_prediction {
  uint32_t threads;
  double seconds, speedup; /* against 1 thread */
  bench_limit limit;       /* the largest part of `seconds` */
} bench_prediction;

/* One network, batch and phase. */
typedef struct bench_scaling_case {
  char name[BENCH_SCALING_NAME];
  char phase[12]; /* "both" (forward and backward), "forward", "step" */
  uint64_t batch;
  uint64_t vertices, edges;          /* V, E; summed over the members of a population */
  uint64_t members;                  /* networks that are run as one unit */
  uint64_t depth, width;             /* edges on the longest path, most vertices at one level */
  double flops, bytes, edge_samples; /* of one pass; bytes if every row and weight moved once */
  double work;                       /* seconds of all tasks, on one thread */
  double span, burdened_span;        /* seconds; burdened: with `release` for each link */
  double parallelism;                /* work / burdened_span: the largest speed-up of any machine */
  double release;                    /* seconds from a task's end to its successor's start */
  double bound_flops;                /* flop bound of backward / forward */
  double serial;                     /* median seconds of the serial path without OpenMP */
  double serial_low, serial_high;    /* its quartiles */
  uint32_t point_count;
  bench_scaling_point points[BENCH_SCALING_POINTS]; /* threads ascending, points[0] is 1 thread */
  /* The formula's time for the largest measured number of threads that is not oversubscribed. */
  uint32_t check_threads;
  double check_predicted, check_measured, check_error; /* error = predicted / measured − 1 */
  int predictions_shown; /* |check_error| ≤ 5 %; else no prediction may be drawn or printed */
  uint32_t prediction_count;
  bench_prediction predictions[BENCH_SCALING_PREDICTIONS]; /* also when not shown */
  int valid;                                               /* 0: `note` says why not */
  char note[200];
} bench_scaling_case;

/* METG: tasks of one grain in a graph of one shape. */
typedef struct bench_metg_point {
  double grain;      /* seconds of work in a task */
  double seconds;    /* of the whole pass */
  double efficiency; /* grain × tasks / (threads × seconds) */
} bench_metg_point;

typedef struct bench_metg_curve {
  char shape[24]; /* "chains", "stencil", "random" */
  uint32_t threads;
  uint64_t tasks;
  uint32_t point_count;
  bench_metg_point *points; /* grain ascending */
  double metg; /* smallest threads × seconds / tasks with efficiency ≥ 0.5, interpolated */
} bench_metg_curve;

typedef struct bench_roofline_point {
  char name[BENCH_SCALING_NAME], phase[12];
  uint64_t batch;
  uint32_t threads;
  double intensity;        /* flops / byte */
  double flops_per_second; /* useful flops / median */
} bench_roofline_point;

/* Ceilings of one number of threads; BENCH_ROOF_MEMORY is the place of the memory's. */
enum { BENCH_ROOF_MEMORY = 3 };
typedef struct bench_roofline_ceiling {
  uint32_t threads;
  double flops_per_second;
  double bytes_per_second[4]; /* L1, L2, L3, memory */
} bench_roofline_ceiling;

/* Time over edges: one family of random graphs, growing. */
typedef struct bench_edges_point {
  char phase[12];
  uint64_t vertices, edges, batch;
  uint32_t threads;
  double seconds, quartile_low, quartile_high;
} bench_edges_point;

/* A peer beside backdag, measured in turns in the same run. */
typedef struct bench_peer_ratio {
  char name[BENCH_SCALING_NAME], phase[12], peer[24];
  uint64_t batch;
  uint32_t threads;
  double seconds, own_seconds;  /* medians of the peer and of backdag */
  double ratio;                 /* seconds / own_seconds: above 1 backdag is faster */
  double ratio_low, ratio_high; /* of the quartiles */
  int valid;
  char note[200];
} bench_peer_ratio;

typedef struct bench_scaling {
  json_t *machine;  /* the machine block (schema.h), a reference of its own */
  json_t *settings; /* options of the command line, a reference of its own */
  char *command;    /* that reproduces the report */
  double seconds;   /* that the report took */
  uint32_t cores;   /* allowed to this process, quota considered: beyond is oversubscribed */
  uint64_t case_count;
  bench_scaling_case *cases;
  uint64_t metg_count;
  bench_metg_curve *metg;
  uint64_t roofline_count;
  bench_roofline_point *roofline;
  uint64_t ceiling_count;
  bench_roofline_ceiling *ceilings;
  uint64_t edges_count;
  bench_edges_point *edges;
  uint64_t peer_count;
  bench_peer_ratio *peers;
} bench_scaling;

bench_scaling *bench_scaling_create(void);
/* Releases everything; NULL is fine. */
void bench_scaling_destroy(bench_scaling *scaling);

/* Appends a zeroed element and returns it; valid until the next of its kind is appended. */
bench_scaling_case *bench_scaling_add_case(bench_scaling *scaling);
bench_metg_curve *bench_scaling_add_metg(bench_scaling *scaling);
void bench_metg_add_point(bench_metg_curve *curve, bench_metg_point point);
bench_roofline_point *bench_scaling_add_roofline(bench_scaling *scaling);
bench_roofline_ceiling *bench_scaling_add_ceiling(bench_scaling *scaling);
bench_edges_point *bench_scaling_add_edges(bench_scaling *scaling);
bench_peer_ratio *bench_scaling_add_peer(bench_scaling *scaling);

/* "work", "span" or "bandwidth". */
const char *bench_limit_name(bench_limit limit);

/* Largest point that is not oversubscribed; NULL for a case without points. */
const bench_scaling_point *bench_scaling_largest(const bench_scaling_case *the_case);

#endif
