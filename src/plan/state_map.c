/* Where a direct plan keeps each parameter. Edges that were given target by target have slots near each
 * other: then two bytes from the first of a few say where the others are, and a short list has the rest.
 * May include base and network. */
#include "base/memory.h"
#include "plan/build.h"

#define MAP_BLOCK 32u
/* An offset of that many stands for the slot of the block's first parameter, 0 for an exception. */
#define MAP_CENTRE 32768u
/* Fewer parameters are not worth the time. */
#define MAP_LEAST (UINT64_C(1) << 20)
/* At most one exception for so many parameters. */
#define MAP_USUAL 16u

static inline uint32_t offset_of(uint32_t slot, uint32_t base) {
  const uint32_t offset = slot - base + MAP_CENTRE;
  return offset < 2 * MAP_CENTRE ? offset : 0;
}

static uint64_t count_exceptions(const uint32_t *slot, uint64_t count, uint64_t most) {
  uint64_t exceptions = 0;
  for (uint64_t begin = 0; begin < count && exceptions <= most; begin += MAP_BLOCK)
    for (uint64_t p = begin; p < begin + MAP_BLOCK && p < count; p++)
      exceptions += offset_of(slot[p], slot[begin]) == 0;
  return exceptions;
}

static void fill_map(bdag_plan *plan) {
  bdag_state_map *map = &plan->state_map;
  uint32_t *slot = plan->state_of_parameter;
  uint64_t exceptions = 0, discarded = 0;
  for (uint64_t p = 0; p < plan->network_parameters; p++) {
    if (p % MAP_BLOCK == 0) {
      map->base[p / MAP_BLOCK] = slot[p];
      discarded = bdag_discard(slot, discarded, p * sizeof *slot);
    }
    map->offset[p] = (uint16_t)offset_of(slot[p], map->base[p / MAP_BLOCK]);
    if (map->offset[p] == 0)
      map->exception[exceptions++] = (bdag_state_exception){(uint32_t)p, slot[p]};
  }
}

int bdag_shorten_state_map(bdag_build *build) {
  bdag_plan *plan = build->plan;
  const bdag_context *context = build->context;
  bdag_state_map *map = &plan->state_map;
  const uint64_t count = plan->network_parameters, most = count / MAP_USUAL;
  if (count < MAP_LEAST) return 0;
  map->exceptions = count_exceptions(plan->state_of_parameter, count, most);
  if (map->exceptions > most) {
    map->exceptions = 0;
    return 0;
  }
  map->base = bdag_allocate_array(context, count / MAP_BLOCK + 1, sizeof *map->base);
  map->offset = bdag_allocate_array(context, count, sizeof *map->offset);
  map->exception = bdag_allocate_array(context, map->exceptions, sizeof *map->exception);
  if (map->base == NULL || map->offset == NULL || map->exception == NULL) return -1;
  fill_map(plan);
  bdag_free(context, plan->state_of_parameter);
  plan->state_of_parameter = NULL;
  return 0;
}

static uint32_t find_exception(const bdag_state_map *map, uint64_t parameter) {
  uint64_t low = 0, high = map->exceptions;
  while (high - low > 1) {
    const uint64_t middle = low + (high - low) / 2;
    if (map->exception[middle].parameter <= parameter)
      low = middle;
    else
      high = middle;
  }
  return map->exception[low].slot;
}

uint64_t bdag_plan_state_of_parameter(const bdag_plan *plan, uint64_t parameter) {
  if (parameter >= plan->network_parameters) return BDAG_NONE;
  if (plan->indirect) return parameter;
  if (plan->state_of_parameter != NULL) return plan->state_of_parameter[parameter];
  const bdag_state_map *map = &plan->state_map;
  const uint32_t offset = map->offset[parameter];
  if (offset == 0) return find_exception(map, parameter);
  return map->base[parameter / MAP_BLOCK] + offset - MAP_CENTRE;
}
