/* Where a direct plan keeps each parameter. Edges that were given target by target have slots near each
 * other: then two bytes from that of one of a few say where the others are, and a short list has the rest.
 * May include base and network. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "plan/build.h"

/* Fewer parameters are not worth the time. */
#define MAP_LEAST (UINT64_C(1) << 20)
/* At most one exception for so many parameters. */
#define MAP_USUAL 16u
/* Blocks that are looked at before edges have slots. */
#define MAP_SAMPLES 1024u

static int allocate_map(bdag_build *build) {
  const bdag_context *context = build->context;
  bdag_plan *plan = build->plan;
  bdag_state_map *map = &plan->state_map;
  const uint64_t blocks = plan->network_parameters / BDAG_MAP_BLOCK + 1;
  map->base = bdag_allocate_array(context, blocks, sizeof *map->base);
  map->offset = bdag_allocate_array(context, blocks * BDAG_MAP_BLOCK, sizeof *map->offset);
  return map->base == NULL || map->offset == NULL ? -1 : 0;
}

static void free_map(bdag_build *build) {
  bdag_state_map *map = &build->plan->state_map;
  bdag_free(build->context, map->base);
  bdag_free(build->context, map->offset);
  bdag_free(build->context, map->exception);
  *map = (bdag_state_map){.base = NULL};
  build->exception_capacity = 0;
}

/* ---- One by one ---------------------------------------------------------------------------------- */

/* Slots of irregular edges are in the order of the rows that they come from. */
static int has_neighbours(const bdag_build *build) {
  const bdag_network *network = build->network;
  const uint32_t *row_of_vertex = build->plan->row_of_vertex;
  const uint64_t rows = build->plan->rows * (uint64_t)BDAG_MAP_CENTRE / (build->edges + 1);
  const uint64_t reach = rows < BDAG_MAP_BLOCK ? BDAG_MAP_BLOCK : rows;
  const uint64_t blocks = network->edge_count / BDAG_MAP_BLOCK, step = blocks / MAP_SAMPLES + 1;
  uint64_t near = 0, seen = 0;
  for (uint64_t b = 0; b < blocks; b += step) {
    const uint32_t *source = network->source + b * BDAG_MAP_BLOCK;
    const int64_t first = row_of_vertex[source[0]];
    for (uint32_t i = 0; i < BDAG_MAP_BLOCK; i++, seen++)
      near += (uint64_t)llabs(row_of_vertex[source[i]] - first) <= reach;
  }
  return near * 2 > seen;
}

int bdag_begin_state_map(bdag_build *build) {
  const uint64_t count = build->plan->network_parameters;
  if (count < MAP_LEAST || !has_neighbours(build)) return 0;
  if (allocate_map(build)) {
    build->failed = 1;
    return 1;
  }
  memset(build->plan->state_map.base, 0xff, (count / BDAG_MAP_BLOCK + 1) * sizeof(uint32_t));
  return 1;
}

int bdag_widen_state_map(bdag_build *build) {
  bdag_plan *plan = build->plan;
  const bdag_state_map *map = &plan->state_map;
  const uint64_t count = plan->network_parameters;
  uint32_t *slot = bdag_allocate_array(build->context, count, sizeof *slot);
  if (slot == NULL) return -1;
  uint64_t discarded = 0;
  for (uint64_t p = 0; p < count; p++) {
    const uint32_t base = map->base[p / BDAG_MAP_BLOCK];
    const int known = base != BDAG_NO_SLOT && map->offset[p] >= BDAG_MAP_FIRST;
    slot[p] = known ? base + map->offset[p] - BDAG_MAP_CENTRE : BDAG_NO_SLOT;
    if (p % BDAG_MAP_BLOCK == 0)
      discarded = bdag_discard(map->offset, discarded, p * sizeof *map->offset);
  }
  for (uint64_t i = 0; i < map->exceptions; i++)
    slot[map->exception[i].parameter] = map->exception[i].slot;
  free_map(build);
  plan->state_of_parameter = slot;
  build->slot_of_edge = slot + build->first_parameter;
  return 0;
}

void bdag_place_exception(bdag_build *build, uint64_t parameter, uint32_t slot) {
  bdag_plan *plan = build->plan;
  bdag_state_map *map = &plan->state_map;
  if (map->exceptions >= plan->network_parameters / MAP_USUAL) {
    build->failed = bdag_widen_state_map(build) != 0;
    if (!build->failed) plan->state_of_parameter[parameter] = slot;
    return;
  }
  void *array = map->exception;
  build->failed = bdag_grow(build->context, &array, &build->exception_capacity, map->exceptions,
                            map->exceptions + 1, sizeof *map->exception) != 0;
  map->exception = array;
  if (build->failed) return;
  map->offset[parameter] = BDAG_MAP_EXCEPTION;
  map->exception[map->exceptions++] = (bdag_state_exception){(uint32_t)parameter, slot};
}

static int compare_parameters(const void *left, const void *right) {
  const bdag_state_exception *a = left, *b = right;
  return a->parameter < b->parameter ? -1 : a->parameter > b->parameter;
}

void bdag_end_state_map(bdag_plan *plan) {
  bdag_state_map *map = &plan->state_map;
  if (map->exceptions > 1)
    qsort(map->exception, map->exceptions, sizeof *map->exception, compare_parameters);
}

/* ---- All at once --------------------------------------------------------------------------------- */

static inline uint32_t offset_of(uint32_t slot, uint32_t base) {
  const uint32_t offset = slot - base + BDAG_MAP_CENTRE;
  return offset >= BDAG_MAP_FIRST && offset < BDAG_MAP_END ? offset : BDAG_MAP_EXCEPTION;
}

static uint64_t count_exceptions(const uint32_t *slot, uint64_t count, uint64_t most) {
  uint64_t exceptions = 0;
  for (uint64_t begin = 0; begin < count && exceptions <= most; begin += BDAG_MAP_BLOCK)
    for (uint64_t p = begin; p < begin + BDAG_MAP_BLOCK && p < count; p++)
      exceptions += offset_of(slot[p], slot[begin]) == BDAG_MAP_EXCEPTION;
  return exceptions;
}

static void fill_map(bdag_plan *plan) {
  bdag_state_map *map = &plan->state_map;
  uint32_t *slot = plan->state_of_parameter;
  uint64_t exceptions = 0, discarded = 0;
  for (uint64_t p = 0; p < plan->network_parameters; p++) {
    if (p % BDAG_MAP_BLOCK == 0) {
      map->base[p / BDAG_MAP_BLOCK] = slot[p];
      discarded = bdag_discard(slot, discarded, p * sizeof *slot);
    }
    map->offset[p] = (uint16_t)offset_of(slot[p], map->base[p / BDAG_MAP_BLOCK]);
    if (map->offset[p] == BDAG_MAP_EXCEPTION)
      map->exception[exceptions++] = (bdag_state_exception){(uint32_t)p, slot[p]};
  }
}

int bdag_shorten_state_map(bdag_build *build) {
  bdag_plan *plan = build->plan;
  const bdag_context *context = build->context;
  bdag_state_map *map = &plan->state_map;
  const uint64_t count = plan->network_parameters, most = count / MAP_USUAL;
  if (count < MAP_LEAST || plan->state_of_parameter == NULL) return 0;
  map->exceptions = count_exceptions(plan->state_of_parameter, count, most);
  if (map->exceptions > most) {
    map->exceptions = 0;
    return 0;
  }
  map->exception = bdag_allocate_array(context, map->exceptions, sizeof *map->exception);
  if (map->exception == NULL || allocate_map(build)) return -1;
  fill_map(plan);
  bdag_free(context, plan->state_of_parameter);
  plan->state_of_parameter = NULL;
  return 0;
}

/* ---- Finding ------------------------------------------------------------------------------------- */

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
  if (offset == BDAG_MAP_EXCEPTION) return find_exception(map, parameter);
  return map->base[parameter / BDAG_MAP_BLOCK] + offset - BDAG_MAP_CENTRE;
}
