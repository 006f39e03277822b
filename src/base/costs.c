/* The cost profile of a context and what follows from it. Floor 0. */
#include "base/costs.h"

#include <math.h>

#include "base/context_internal.h"

/* A pass is shared out from that many times the cost of a team on; a task of 64 samples lasts that many
 * times its scheduling cost. Irregular neurons count, the slower class. */
#define TEAM_WORTH   8.0
#define TASK_WORTH   629.1456
#define TASK_SAMPLES 64.0
/* Profiles may say anything; tasks stay between these. */
#define LEAST_EDGES 256u
#define MOST_EDGES  (UINT64_C(1) << 24)

bdag_cost_profile bdag_costs_default(void) {
  const bdag_cost_profile table = BDAG_COST_PROFILE_INIT;
  return table;
}

static int is_cost(double value) {
  return isfinite(value) && value >= 0.0;
}

static int is_valid(const bdag_cost_profile *profile) {
  if (profile->size != sizeof *profile) return 0;
  const double flop[] = {profile->dense_forward, profile->dense_backward, profile->list_forward,
                         profile->list_backward};
  for (int i = 0; i < 4; i++)
    if (!is_cost(flop[i]) || flop[i] == 0.0 || !is_cost(profile->bytes_per_second[i])) return 0;
  return is_cost(profile->task) && is_cost(profile->team);
}

bdag_status bdag_context_set_costs(bdag_context *context, const bdag_cost_profile *profile) {
  if (context == NULL || (profile != NULL && !is_valid(profile)))
    return BDAG_ERROR_INVALID_ARGUMENT;
  context->costs = profile != NULL ? *profile : bdag_costs_default();
  return BDAG_OK;
}

static double seconds_of_edge(const bdag_context *context) {
  return 2.0 * context->costs.list_forward;
}

uint64_t bdag_costs_serial_work(const bdag_context *context) {
  const double work = TEAM_WORTH * context->costs.team / seconds_of_edge(context);
  return work < 1e18 ? (uint64_t)(work + 0.5) : UINT64_C(1000000000000000000);
}

uint64_t bdag_costs_task_edges(const bdag_context *context) {
  const double edges = TASK_WORTH * context->costs.task / (TASK_SAMPLES * seconds_of_edge(context));
  if (!(edges > LEAST_EDGES)) return LEAST_EDGES;
  return edges < (double)MOST_EDGES ? (uint64_t)(edges + 0.5) : MOST_EDGES;
}
