/* Which axis of parallelism a pass takes, and how many gradient buffers that needs.
 * May include plan and below. */
#include <omp.h>

#include "base/costs.h"
#include "runtime/engine_internal.h"

/* Gradient buffers beyond the first may take that much memory together. */
#define GROUP_BYTES          (UINT64_C(512) << 20)
#define DETERMINISTIC_GROUPS 4u

uint32_t bdag_engine_choose_groups(const bdag_engine *engine) {
  const bdag_plan *plan = engine->plan;
  const bdag_engine_options *options = &engine->options;
  uint64_t wanted = options->threads;
  if (options->deterministic)
    wanted = plan->options.accumulation_groups != 0 ? plan->options.accumulation_groups
                                                    : DETERMINISTIC_GROUPS;
  else if (options->axis == BDAG_AXIS_SERIAL || options->axis == BDAG_AXIS_VERTICES)
    wanted = 1;
  if (wanted > engine->tiles) wanted = engine->tiles;
  const uint64_t one = plan->slot_count * engine->element + 1;
  const uint64_t affordable = GROUP_BYTES / one + 1;
  return (uint32_t)(wanted < affordable ? wanted : affordable);
}

/* Fixed by the engine in deterministic mode, else one a thread. */
uint32_t bdag_groups_of_pass(const bdag_engine *engine, bdag_axis axis) {
  uint64_t groups = engine->groups;
  if (!engine->options.deterministic && axis != BDAG_AXIS_TILES) groups = 1;
  if (groups > engine->batch_tiles) groups = engine->batch_tiles;
  return (uint32_t)groups;
}

/* Tiles balance when they divide evenly or are many; otherwise the graph must be wide enough. */
bdag_axis bdag_engine_choose_axis(const bdag_engine *engine, uint64_t tiles, int backward) {
  const bdag_plan *plan = engine->plan;
  const uint64_t threads = engine->options.threads;
  if (threads == 1 || omp_in_parallel()) return BDAG_AXIS_SERIAL;
  if (engine->options.axis != BDAG_AXIS_AUTO) return engine->options.axis;
  if (plan->edges * tiles * engine->tile < bdag_costs_serial_work(engine->context))
    return BDAG_AXIS_SERIAL;
  const int balanced = tiles % threads == 0 || tiles >= 4 * threads;
  const int buffered = !backward || engine->groups >= threads;
  if (tiles >= threads && balanced && buffered) return BDAG_AXIS_TILES;
  if ((backward ? plan->backward_tasks : plan->forward_tasks) >= 4 * threads)
    return BDAG_AXIS_VERTICES;
  return tiles > 1 ? BDAG_AXIS_TILES : BDAG_AXIS_SERIAL;
}
