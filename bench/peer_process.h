/* A peer as a child process: problem and results in shared memory, commands through pipes. */
#ifndef BENCH_PEER_PROCESS_H
#define BENCH_PEER_PROCESS_H

#include <sys/types.h>

#include "peers/peer_problem.h"
#include "subject.h"

/* Peers work in float32 on graphs, whatever type backdag uses. */
typedef struct bench_problem {
  int problem_fd, result_fd;
  peer_header header;
  char *results; /* mapped */
} bench_problem;

/* Writes the subject's graph, samples and targets for peers. Returns 0, −1 if there is no shared
 * memory. The subject has one member, with a graph. */
int bench_problem_create(bench_problem *problem, const bench_subject *subject,
                         double learning_rate);
/* A bare graph of tasks: vertices and edges only. */
int bench_problem_create_tasks(bench_problem *problem, const bench_graph *graph, uint32_t threads);
void bench_problem_destroy(bench_problem *problem);

typedef struct bench_peer {
  const char *name;
  pid_t process;
  int to, from;
  char buffered[512];
  size_t buffered_count;
  char description[200]; /* from the peer, or why it does not work */
} bench_peer;

/* Starts `program` (found beside this binary, in the folder of installed peers, or in
 * $BACKDAG_BENCH_PEERS) with an argument or NULL, its environment set for `threads`, and waits until
 * it is ready. Returns 1; 0 if it is not here or refuses, with the reason in `description`. */
int bench_peer_start(bench_peer *peer, const char *name, const char *program, const char *argument,
                     const bench_problem *problem, uint32_t threads, int pin);
void bench_peer_stop(bench_peer *peer);
/* Whether the program is here at all. */
int bench_peer_is_here(const char *program);

/* One repetition, results in place: 1, or 0 with the reason in `description`. */
int bench_peer_check(bench_peer *peer, const char *phase);
/* Seconds of `count` repetitions; NaN when the peer failed. */
double bench_peer_run(bench_peer *peer, const char *phase, uint64_t count);

#endif
