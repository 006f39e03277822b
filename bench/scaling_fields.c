/* The fields of a scaling report: names, types, places and meanings. May include scaling_json.h. */
#include "scaling_json.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define FIELD(structure, field, kind, meaning)                                                     \
  { #field, kind, offsetof(structure, field), sizeof(((structure *)0)->field), meaning }
#define NUMBER(s, field, meaning) FIELD(s, field, BENCH_FIELD_NUMBER, meaning)
#define BIG(s, field, meaning)    FIELD(s, field, BENCH_FIELD_COUNT, meaning)
#define SMALL(s, field, meaning)  FIELD(s, field, BENCH_FIELD_SMALL, meaning)
#define FLAG(s, field, meaning)   FIELD(s, field, BENCH_FIELD_FLAG, meaning)
#define TEXT(s, field, meaning)   FIELD(s, field, BENCH_FIELD_TEXT, meaning)
#define TABLE(id, word, array)    const bench_field_table id = {word, array, COUNT(array)}

typedef bench_scaling_case c;
static const bench_field case_fields[] = {
    TEXT(c, name, "name of the case, or path of the network file"),
    TEXT(c, phase, "both (forward and backward), forward, backward or step"),
    BIG(c, batch, "samples a pass"),
    BIG(c, vertices, "V, of all members"),
    BIG(c, edges, "E, of all members"),
    BIG(c, members, "networks that are run as one unit"),
    BIG(c, depth, "edges on the longest path"),
    BIG(c, width, "most vertices at one level"),
    NUMBER(c, edge_samples, "edges times samples of one pass"),
    NUMBER(c, flops, "useful operations of one pass"),
    NUMBER(c, bytes, "moved if every row and weight is touched once"),
    NUMBER(c, work, "seconds of all tasks, measured on one thread"),
    NUMBER(c, span, "seconds of the longest chain of tasks"),
    NUMBER(c, burdened_span, "the same with the release latency for each link"),
    NUMBER(c, parallelism, "work / burdened_span"),
    NUMBER(c, release, "seconds from a task's end to its successor's start on another thread"),
    NUMBER(c, bound_flops, "flop bound of backward / forward"),
    NUMBER(c, serial, "median seconds of the serial path without OpenMP"),
    NUMBER(c, serial_low, "its 25 % quantile"),
    NUMBER(c, serial_high, "its 75 % quantile"),
    SMALL(c, check_threads, "threads at which the formula was checked, 0: nowhere"),
    NUMBER(c, check_predicted, "seconds by the formula of the predictions"),
    NUMBER(c, check_measured, "seconds measured"),
    NUMBER(c, check_error, "check_predicted / check_measured - 1"),
    FLAG(c, predictions_shown, "the error is at most 5 %: predictions may be shown"),
    FLAG(c, valid, "false: not to be believed, see note"),
    TEXT(c, note, "why not valid, or a remark"),
};
TABLE(bench_case_fields, "case", case_fields);

typedef bench_scaling_point p;
static const bench_field point_fields[] = {
    SMALL(p, threads, "threads"),
    FLAG(p, oversubscribed, "more threads than allowed cores"),
    FLAG(p, noisy, "quartiles more than 10 % apart, or median uncertain by 3 %"),
    FIELD(p, bitwise_equal, BENCH_FIELD_TRISTATE,
          "deterministic results equal those of 1 thread by memcmp; null: not tried"),
    FIELD(p, axis, BENCH_FIELD_AXIS, "of parallelism that was taken"),
    BIG(p, sample_count, "samples of the time"),
    NUMBER(p, median, "seconds of one pass"),
    NUMBER(p, minimum, "of them"),
    NUMBER(p, quartile_low, "25 %"),
    NUMBER(p, quartile_high, "75 %"),
    NUMBER(p, confidence_low, "95 % interval of the median"),
    NUMBER(p, confidence_high, "95 % interval of the median"),
    NUMBER(p, speedup, "against 1 thread"),
    NUMBER(p, speedup_serial, "against the serial path without OpenMP"),
    NUMBER(p, efficiency, "speedup / threads"),
    NUMBER(p, karp_flatt, "serial fraction that the speed-up reveals"),
    NUMBER(p, overhead, "share of threads x time that is not work of tasks"),
    BIG(p, tasks, "run in one pass"),
    NUMBER(p, task_seconds, "mean of a task"),
    NUMBER(p, peak, "measured flop/s of that many threads"),
    FIELD(p, level, BENCH_FIELD_LEVEL, "cache level or memory that holds the bytes"),
    NUMBER(p, bandwidth, "measured bytes/s of that level"),
    NUMBER(p, backward_forward, "ratio of the times of backward and forward pass"),
    BIG(p, memory, "bytes of plan and engine"),
};
TABLE(bench_point_fields, "point of a case", point_fields);

typedef bench_prediction prediction;
static const bench_field prediction_fields[] = {
    SMALL(prediction, threads, "threads"),
    NUMBER(prediction, seconds, "predicted, not measured"),
    NUMBER(prediction, speedup, "against the measured time of 1 thread"),
    FIELD(prediction, limit, BENCH_FIELD_LIMIT, "work, span or bandwidth: the largest part"),
};
TABLE(bench_prediction_fields, "prediction of a case", prediction_fields);

typedef bench_metg_curve curve;
static const bench_field metg_fields[] = {
    TEXT(curve, shape, "of the graph of tasks"),
    SMALL(curve, threads, "threads"),
    BIG(curve, tasks, "in the graph"),
    NUMBER(curve, metg, "seconds: smallest threads x time / tasks with 50 % efficiency"),
};
TABLE(bench_metg_fields, "metg", metg_fields);

typedef bench_metg_point metg_point;
static const bench_field metg_point_fields[] = {
    NUMBER(metg_point, grain, "seconds of work in a task"),
    NUMBER(metg_point, seconds, "of the whole pass"),
    NUMBER(metg_point, efficiency, "grain x tasks / (threads x seconds)"),
};
TABLE(bench_metg_point_fields, "point of metg", metg_point_fields);

typedef bench_roofline_point roof;
static const bench_field roofline_fields[] = {
    TEXT(roof, name, "of the case"),
    TEXT(roof, phase, "of the case"),
    BIG(roof, batch, "samples"),
    SMALL(roof, threads, "threads"),
    NUMBER(roof, intensity, "flops / byte"),
    NUMBER(roof, flops_per_second, "useful flops / median"),
};
TABLE(bench_roofline_fields, "roofline", roofline_fields);

typedef bench_roofline_ceiling ceiling;
static const bench_field ceiling_fields[] = {
    SMALL(ceiling, threads, "threads"),
    NUMBER(ceiling, flops_per_second, "multiply-adds counted twice"),
    FIELD(ceiling, bytes_per_second, BENCH_FIELD_LEVELS, "reading from L1, L2, L3, memory"),
};
TABLE(bench_ceiling_fields, "ceiling", ceiling_fields);

typedef bench_edges_point edges;
static const bench_field edges_fields[] = {
    TEXT(edges, phase, "forward or backward"),
    BIG(edges, vertices, "V"),
    BIG(edges, edges, "E"),
    BIG(edges, batch, "samples"),
    SMALL(edges, threads, "threads"),
    NUMBER(edges, seconds, "median of one pass"),
    NUMBER(edges, quartile_low, "25 %"),
    NUMBER(edges, quartile_high, "75 %"),
};
TABLE(bench_edges_fields, "edges", edges_fields);

typedef bench_peer_ratio peer;
static const bench_field peer_fields[] = {
    TEXT(peer, name, "of the case"),
    TEXT(peer, phase, "of the case"),
    TEXT(peer, peer, "other people's software"),
    BIG(peer, batch, "samples"),
    SMALL(peer, threads, "threads"),
    NUMBER(peer, seconds, "median of the peer"),
    NUMBER(peer, own_seconds, "median of backdag in the same run"),
    NUMBER(peer, ratio, "seconds / own_seconds"),
    NUMBER(peer, ratio_low, "of the quartiles"),
    NUMBER(peer, ratio_high, "of the quartiles"),
    FLAG(peer, valid, "false: results disagree or the peer failed, see note"),
    TEXT(peer, note, "a remark"),
};
TABLE(bench_peer_fields, "peer", peer_fields);
