/* Runs every scenario with its n-th allocation failing, for every n, once and from there on for ever.
 * A program of its own, because it must own main; prints TAP. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "oom.h"

static _Atomic uint64_t live, requests, refused;
static _Atomic uint64_t fail_at = UINT64_MAX; /* a number of `requests` */
static _Atomic int for_ever;
static uint64_t wanted = UINT64_MAX; /* counted from oom_arm on */
static uint64_t armed_at;
static int complaints;

static void *allocate(void *user, size_t size) {
  (void)user;
  const uint64_t index = atomic_fetch_add(&requests, 1);
  const uint64_t limit = atomic_load(&fail_at);
  if (index == limit || (atomic_load(&for_ever) && index > limit)) {
    atomic_fetch_add(&refused, 1);
    return NULL;
  }
  void *const block = malloc(size);
  if (block == NULL) return NULL;
  memset(block, 0xA5, size < 4096 ? size : 4096); /* nobody may count on zeros */
  atomic_fetch_add(&live, 1);
  return block;
}

static void release(void *user, void *memory) {
  (void)user;
  if (memory != NULL) atomic_fetch_sub(&live, 1);
  free(memory);
}

bdag_allocator oom_allocator(void) {
  return (bdag_allocator){allocate, release, NULL};
}
void oom_arm(void) {
  armed_at = requests;
  fail_at = wanted > UINT64_MAX - armed_at ? UINT64_MAX : armed_at + wanted;
}
void oom_heal(void) {
  fail_at = UINT64_MAX;
}
uint64_t oom_live(void) {
  return live;
}
uint64_t oom_requests(void) {
  return requests;
}
uint64_t oom_refused(void) {
  return refused;
}

void oom_complain(const char *call, const char *file, int line, bdag_status status,
                  const char *why) {
  if (complaints++ > 5) return;
  printf("# %s:%d: allocation %lld: %.300s: %s: %s\n", file, line, (long long)wanted, call,
         bdag_status_string(status), why);
}

void oom_add(oom_state *state, const void *bytes, size_t size) {
  const unsigned char *const byte = bytes;
  for (size_t i = 0; i < size; i++) state->checksum = (state->checksum ^ byte[i]) * 1099511628211u;
}

void oom_add_file(oom_state *state, const char *path) {
  char bytes[4096];
  FILE *const file = fopen(path, "rb");
  if (file == NULL) {
    oom_complain(path, __FILE__, __LINE__, BDAG_ERROR_IO, "the file is not there");
    return;
  }
  size_t size;
  while ((size = fread(bytes, 1, sizeof bytes, file)) > 0) oom_add(state, bytes, size);
  fclose(file);
}

oom_call oom_before(oom_state *state) {
  memset(&state->error, 0, sizeof state->error);
  return (oom_call){live, refused, requests};
}

int oom_judge(oom_state *state, oom_call before, bdag_status status, int makes, const char *call,
              const char *file, int line) {
  if (refused == before.refused) return 0;
  if (status != BDAG_ERROR_OUT_OF_MEMORY) {
    oom_complain(call, file, line, status, "memory ran out, but that is not the status");
    oom_heal();
    return 0;
  }
  oom_heal();
  if (state->error.status != BDAG_OK && state->error.status != BDAG_ERROR_OUT_OF_MEMORY) {
    oom_complain(call, file, line, state->error.status, "the report has another status");
  }
  if (makes && live != before.live) {
    oom_complain(call, file, line, status, "blocks were left behind");
  }
  return 1;
}

static const struct {
  const char *name;
  void (*run)(oom_state *state);
  uint64_t least; /* failure points that must have been met */
} scenarios[] = {
    {"context", oom_context, 1},        {"building", oom_building, 30},
    {"editing", oom_editing, 5},        {"passes", oom_passes, 20},
    {"training", oom_training, 10},     {"networks in files", oom_networks_in_files, 40},
    {"checkpoint", oom_checkpoint, 20}, {"tables", oom_tables, 10},
};
enum { SCENARIOS = sizeof scenarios / sizeof scenarios[0] };

/* One run with allocation n failing; returns its checksum, *reached tells whether n was met. */
static uint64_t run_once(int scenario, oom_state *shared, uint64_t n, int *reached) {
  oom_state state = *shared;
  const uint64_t live_before = live, refused_before = refused;
  state.checksum = 14695981039346656037u;
  wanted = n;
  scenarios[scenario].run(&state);
  oom_heal();
  *reached = refused != refused_before;
  if (live != live_before) {
    oom_complain(scenarios[scenario].name, __FILE__, __LINE__, BDAG_OK, "blocks leak");
    live = live_before;
  }
  return state.checksum;
}

static void run_all(int scenario, oom_state *shared, int permanently, int number) {
  int reached;
  uint64_t n = 0;
  complaints = 0;
  for_ever = permanently;
  const uint64_t expected = run_once(scenario, shared, UINT64_MAX, &reached);
  for (;; n++) {
    const uint64_t got = run_once(scenario, shared, n, &reached);
    if (!reached) break;
    if (got != expected) {
      oom_complain(scenarios[scenario].name, __FILE__, __LINE__, BDAG_OK, "results differ");
    }
  }
  if (n < scenarios[scenario].least) {
    oom_complain(scenarios[scenario].name, __FILE__, __LINE__, BDAG_OK, "too few failure points");
  }
  printf("%sok %d - %s: %llu allocations, failing %s\n", complaints == 0 ? "" : "not ", number,
         scenarios[scenario].name, (unsigned long long)n, permanently ? "for ever" : "once");
  fflush(stdout);
}

int main(int argc, char **argv) {
  const bdag_allocator hook = oom_allocator();
  bdag_context_options options = BDAG_CONTEXT_OPTIONS_INIT;
  options.allocator = &hook;
  options.synthetic = "core:2 pu:1";
  options.threads = 2;
  oom_state shared = {.folder = "/tmp/backdag-oom-XXXXXX"};
  if (bdag_context_create(&shared.context, &options, &shared.error) != BDAG_OK ||
      mkdtemp(shared.folder) == NULL) {
    printf("Bail out! %s\n", shared.error.message);
    return 1;
  }
  /* Once registered, functions stay in the context: not a leak of the first scenario. */
  bdag_network_destroy(oom_make_network(&shared));
  int number = 0, failed = 0;
  for (int scenario = 0; scenario < SCENARIOS; scenario++) {
    if (argc > 1 && strcmp(argv[1], scenarios[scenario].name) != 0) continue;
    for (int permanently = 0; permanently < 2; permanently++) {
      run_all(scenario, &shared, permanently, ++number);
      failed += complaints > 0;
    }
  }
  bdag_context_destroy(shared.context);
  printf("%sok %d - everything was released\n", live == 0 ? "" : "not ", ++number);
  failed += live != 0;
  if (rmdir(shared.folder) != 0) {
    printf("not ok %d - the folder for files is empty again\n", ++number);
    failed++;
  }
  printf("1..%d\n", number);
  return failed != 0;
}
