/* First touch. May include base. */
#include "runtime/touch.h"

#include <omp.h>
#include <string.h>

#include "base/memory.h"
#include "base/team.h"

/* Below that size the caller is done before a team is awake. */
#define TOUCH_FROM (UINT64_C(4) << 20)

static void zero_share(char *block, uint64_t parts, uint64_t size, uint32_t number, uint32_t team) {
  const uint64_t begin = number * parts / team, end = (number + UINT64_C(1)) * parts / team;
  memset(block + begin * size, 0, (end - begin) * size);
}

void *bdag_allocate_touched(const bdag_context *context, uint64_t parts, uint64_t size,
                            uint32_t threads) {
  char *const block = bdag_allocate_array(context, parts, size);
  if (block == NULL) return NULL;
  if (threads <= 1 || parts <= 1 || parts * size < TOUCH_FROM) {
    zero_share(block, parts, size, 0, 1);
    return block;
  }
  const uint32_t claimed = bdag_team_enter(context, threads);
  const uint32_t team = claimed > 0 ? claimed : 1;
#pragma omp parallel num_threads(team) if (team > 1)
  {
    const uint32_t number = (uint32_t)omp_get_thread_num();
    bdag_team_bind(context, number);
    zero_share(block, parts, size, number, (uint32_t)omp_get_num_threads());
    bdag_team_unbind(context, number);
  }
  bdag_team_leave(context, claimed);
  return block;
}
