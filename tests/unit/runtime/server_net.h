/* What the tests of passes in servers share: a fully connected network of some layers whose activation
 * tells who runs it. Plain C, so that programs without Criterion may use it. */
#ifndef BDAG_TEST_SERVER_NET_H
#define BDAG_TEST_SERVER_NET_H

#include <stdatomic.h>

#include <backdag/backdag.h>

/* Called by the activation on the thread that runs it, before anything is computed. */
typedef void (*server_watch)(void *user);

typedef struct server_net {
  bdag_context *context;
  bdag_network *network;
  bdag_plan *plan;
  bdag_weights *weights; /* frozen */
  uint32_t width;
  uint64_t batch;
  float *x, *targets; /* [batch][width] */
  server_watch watch; /* NULL: nobody looks */
  void *user;
  bdag_log_level last_level;
  char last_line[1024];
  atomic_int warnings;
} server_net;

/* Ends the program unless the status is OK. */
void server_must(const char *what, bdag_status status, const bdag_error *error);

/* `options` NULL: defaults; the log is set here. `net` must not move afterwards. */
bdag_status server_context(server_net *net, const bdag_context_options *options, bdag_error *error);
/* Network, plan, weights and a batch, after server_context. */
void server_build(server_net *net, uint32_t width, uint32_t layers, uint64_t batch);
void server_free(server_net *net);

bdag_engine *server_engine(const server_net *net, bdag_axis axis, uint32_t threads);
/* Forward and backward; y [batch][width] and gradient [edges] may be NULL. */
bdag_status server_pass(const server_net *net, bdag_engine *engine, float *y, float *gradient);
uint64_t server_edges(const server_net *net);

/* Threads of this process. */
int server_tasks(void);

#endif
