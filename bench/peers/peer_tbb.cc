/* oneTBB: task_group, an atomic counter a task; the finished task starts those that it released. */
#include <tbb/global_control.h>
#include <tbb/task_arena.h>
#include <tbb/task_group.h>
#include <tbb/version.h>

#include <atomic>
#include <cstdio>
#include <memory>
#include <vector>

#include "peer_main.h"

namespace {

const peer_problem *problem;
std::vector<uint64_t> first;
std::vector<uint32_t> successor, predecessors;
std::unique_ptr<std::atomic<uint32_t>[]> waiting;
std::unique_ptr<tbb::global_control> control;
std::unique_ptr<tbb::task_arena> arena;

/* Goes on with one released task, the others become tasks of the group. */
void run_task(tbb::task_group &group, uint32_t task) {
  for (bool more = true; more;) {
    more = false;
    uint32_t next = 0;
    for (uint64_t i = first[task]; i < first[task + 1]; i++) {
      const uint32_t released = successor[i];
      if (waiting[released].fetch_sub(1, std::memory_order_acq_rel) != 1) continue;
      if (more) {
        const uint32_t other = released;
        group.run([&group, other] { run_task(group, other); });
      } else {
        next = released;
        more = true;
      }
    }
    task = next;
  }
}

const char *prepare(const peer_problem *p, const char **) {
  static char description[64];
  problem = p;
  const peer_header *h = p->header;
  first.assign(h->vertices + 1, 0);
  successor.resize(h->edges);
  predecessors.assign(h->vertices, 0);
  for (uint64_t e = 0; e < h->edges; e++) {
    first[p->source[e] + 1]++;
    predecessors[p->target[e]]++;
  }
  for (uint64_t v = 0; v < h->vertices; v++) first[v + 1] += first[v];
  std::vector<uint64_t> next(first.begin(), first.end() - 1);
  for (uint64_t e = 0; e < h->edges; e++) successor[next[p->source[e]]++] = p->target[e];
  waiting.reset(new std::atomic<uint32_t>[h->vertices]);
  control.reset(new tbb::global_control(tbb::global_control::max_allowed_parallelism, h->threads));
  arena.reset(new tbb::task_arena(static_cast<int>(h->threads)));
  std::snprintf(description, sizeof description, "oneTBB %d.%d, %d threads", TBB_VERSION_MAJOR,
                TBB_VERSION_MINOR, static_cast<int>(h->threads));
  return description;
}

void tasks() {
  const uint64_t count = problem->header->vertices;
  for (uint64_t v = 0; v < count; v++) waiting[v].store(predecessors[v], std::memory_order_relaxed);
  arena->execute([count] {
    tbb::task_group group;
    for (uint32_t v = 0; v < count; v++)
      if (predecessors[v] == 0) group.run([&group, v] { run_task(group, v); });
    group.wait();
  });
}

} // namespace

int main() {
  const peer_program program = {
      prepare, {nullptr, nullptr, nullptr, tasks}, {nullptr, nullptr, nullptr, nullptr}};
  return peer_serve(&program);
}
