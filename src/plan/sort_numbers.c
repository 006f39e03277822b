/* Sorting numbers: short runs by Shell's method. */
#include <stdlib.h>

#include "plan/build.h"

#define SHORT_SORT 512u /* up to there faster than qsort */

static int compare_numbers(const void *left, const void *right) {
  const uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
  return a < b ? -1 : a > b;
}

void bdag_sort_numbers(uint32_t *numbers, uint64_t count) {
  if (count > SHORT_SORT) {
    qsort(numbers, count, sizeof *numbers, compare_numbers);
    return;
  }
  for (uint64_t gap = count / 2; gap > 0; gap /= 2)
    for (uint64_t i = gap; i < count; i++) {
      const uint32_t value = numbers[i];
      uint64_t j = i;
      for (; j >= gap && numbers[j - gap] > value; j -= gap) numbers[j] = numbers[j - gap];
      numbers[j] = value;
    }
}
