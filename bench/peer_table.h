/* Which peers are compared on which cases. */
#ifndef BENCH_PEER_TABLE_H
#define BENCH_PEER_TABLE_H

#include "cases.h"

enum { BENCH_MOST_PEERS = 4 };

typedef struct bench_peer_program {
  const char *name, *program, *argument;
  const char *package; /* of Debian */
  const char *form;    /* what of it is used */
} bench_peer_program;

typedef struct bench_contest {
  const char *name;      /* for the command line */
  const char *case_name; /* NULL: the graph of tasks */
  uint32_t batch;
  bdag_type type;
  uint32_t phases;
  int serial;       /* the peers have no threads: only one is compared */
  double tolerance; /* relative distance of results */
  const char *peers[BENCH_MOST_PEERS + 1];
  uint32_t most_predecessors; /* of a task */
} bench_contest;

extern const bench_peer_program bench_peer_programs[];
extern const size_t bench_peer_program_count;
extern const bench_contest bench_contests[];
extern const size_t bench_contest_count;

const bench_peer_program *bench_peer_program_find(const char *name);

#endif
