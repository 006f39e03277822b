/* Rows a power of two apart lie in the same few sets of a cache, which then holds a dozen of them. Where
 * each neuron of the next level reads one row of every panel, or every 32nd row, that is what it reads: rows
 * are moved a little, panels and neighbours staying together. May include base and network. */
#include <string.h>

#include "plan/build.h"

/* Rows of 64 float32 samples that are one way of a usual L1: as far apart they meet in its sets. */
#define WAY_ROWS 16u
/* A level of fewer rows fits. */
#define LEAST_ROWS 256u
#define SECTIONS   4u

static int alike(const bdag_build *build, uint32_t a, uint32_t b) {
  const bdag_network *network = build->network;
  return build->reaches[a] == build->reaches[b] &&
         network->activation[a] == network->activation[b] &&
         memcmp(&network->activation_parameter[a], &network->activation_parameter[b],
                sizeof(double)) == 0;
}

static void rotate(uint32_t *order, uint32_t *space, uint32_t count, uint32_t by) {
  memcpy(space, order, count * sizeof *order);
  memcpy(order + by, space, (count - by) * sizeof *order);
  memcpy(order, space + count - by, by * sizeof *order);
}

/* Neurons that read the same, each group by one row more than the one before. Returns how many. */
static uint32_t rotate_groups(const bdag_build *build, uint32_t *order, const uint8_t *marks,
                              uint32_t *space, uint32_t count) {
  uint32_t grouped = 0, groups = 0;
  for (uint32_t begin = 0, end; begin < count; begin = end) {
    end = begin + 1;
    while (end < count && (marks[end] & BDAG_CHAIN_REPEATS) &&
           alike(build, order[begin], order[end]))
      end++;
    if (end - begin < WAY_ROWS) continue;
    rotate(order + begin, space, end - begin, groups++ % (end - begin));
    grouped += end - begin;
  }
  return grouped;
}

/* The last section comes first. With these lengths their rows move by 4, 12, 8 and 0, modulo a way. */
static void turn_sections(uint32_t *order, uint32_t *space, uint32_t count) {
  static const uint32_t more[SECTIONS - 1] = {12, 12, 8};
  uint32_t begin[SECTIONS + 1] = {0}, at = 0;
  const uint32_t share = count / SECTIONS / WAY_ROWS * WAY_ROWS - WAY_ROWS;
  for (uint32_t s = 0; s + 1 < SECTIONS; s++) begin[s + 1] = begin[s] + share + more[s];
  begin[SECTIONS] = count;
  memcpy(space, order, count * sizeof *order);
  for (uint32_t s = SECTIONS; s-- > 0;) {
    memcpy(order + at, space + begin[s], (begin[s + 1] - begin[s]) * sizeof *order);
    at += begin[s + 1] - begin[s];
  }
}

void bdag_stagger(const bdag_build *build, uint32_t *order, const uint8_t *marks, uint32_t *space,
                  uint32_t count) {
  if (count < LEAST_ROWS || count % WAY_ROWS != 0) return;
  if (rotate_groups(build, order, marks, space, count) > 0) return;
  turn_sections(order, space, count);
}
