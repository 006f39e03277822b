/* Values of command-line options: numbers, lists, choices. The program stays in the "C" locale. */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli.h"

static int read_count(const char *text, char **end, uint64_t *value) {
  if (!isdigit((unsigned char)text[0])) return -1;
  errno = 0;
  *value = strtoull(text, end, 10);
  return errno == 0 ? 0 : -1;
}

uint64_t cli_count(struct argp_state *state, const char *option, const char *text, uint64_t least,
                   uint64_t most) {
  uint64_t value = 0;
  char *end = NULL;
  if (read_count(text, &end, &value) == 0 && *end == '\0' && value >= least && value <= most)
    return value;
  if (most == UINT64_MAX)
    argp_error(state, "%s '%s': expected a whole number from %llu on", option, text,
               (unsigned long long)least);
  else
    argp_error(state, "%s '%s': expected a whole number from %llu to %llu", option, text,
               (unsigned long long)least, (unsigned long long)most);
  return least;
}

double cli_real(struct argp_state *state, const char *option, const char *text, double least,
                double most) {
  char *end = NULL;
  const double value = strtod(text, &end);
  if (end != text && *end == '\0' && isfinite(value) && value >= least && value <= most)
    return value;
  if (isfinite(most))
    argp_error(state, "%s '%s': expected a number from %g to %g", option, text, least, most);
  else
    argp_error(state, "%s '%s': expected a number from %g on", option, text, least);
  return least;
}

size_t cli_counts(struct argp_state *state, const char *option, const char *text, uint64_t *list,
                  size_t fewest, size_t capacity) {
  size_t count = 0;
  const char *place = text;
  for (;;) {
    char *end = NULL;
    uint64_t value = 0;
    if (count == capacity || read_count(place, &end, &value) != 0 ||
        (*end != ',' && *end != '\0') || value > UINT32_MAX)
      break;
    list[count++] = value;
    if (*end == '\0' && count >= fewest) return count;
    if (*end == '\0') break;
    place = end + 1;
  }
  if (fewest == capacity)
    argp_error(state, "%s '%s': expected %zu whole numbers with commas between them", option, text,
               fewest);
  else
    argp_error(state, "%s '%s': expected %zu to %zu whole numbers with commas between them", option,
               text, fewest, capacity);
  return 0;
}

/* Levenshtein distance; words longer than the table count as far away. */
static unsigned distance(const char *a, const char *b) {
  enum { LONGEST = 31 };
  const size_t n = strlen(a), m = strlen(b);
  if (n > LONGEST || m > LONGEST) return LONGEST;
  unsigned row[LONGEST + 1];
  for (size_t j = 0; j <= m; j++) row[j] = (unsigned)j;
  for (size_t i = 1; i <= n; i++) {
    unsigned diagonal = row[0];
    row[0] = (unsigned)i;
    for (size_t j = 1; j <= m; j++) {
      const unsigned replace = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      const unsigned insert = row[j - 1] + 1, erase = row[j] + 1;
      row[j] = replace < insert ? replace : insert;
      if (erase < row[j]) row[j] = erase;
    }
  }
  return row[m];
}

const char *cli_nearest(const char *text, const char *const *choices) {
  const char *best = NULL;
  unsigned best_distance = 1 + (unsigned)strlen(text) / 2;
  if (text[0] == '\0') return NULL;
  for (; *choices != NULL; choices++) {
    const int abbreviated = strncmp(text, *choices, strlen(text)) == 0;
    const unsigned d = abbreviated ? 0 : distance(text, *choices);
    if (d < best_distance) {
      best = *choices;
      best_distance = d;
    }
  }
  return best;
}

void cli_take_network(struct argp_state *state, const char **network, const char *text) {
  if (*network != NULL) argp_error(state, "one NETWORK is enough: '%s' and '%s'", *network, text);
  *network = text;
}

int cli_choice(struct argp_state *state, const char *option, const char *text,
               const char *const *choices) {
  for (int i = 0; choices[i] != NULL; i++)
    if (strcmp(choices[i], text) == 0) return i;
  char all[256] = "";
  for (int i = 0; choices[i] != NULL; i++) {
    if (i > 0) strncat(all, ", ", sizeof all - strlen(all) - 1);
    strncat(all, choices[i], sizeof all - strlen(all) - 1);
  }
  argp_error(state, "%s '%s': expected one of %s", option, text, all);
  return 0;
}

int cli_has_extension(const char *path, const char *extension) {
  const size_t length = strlen(path), tail = strlen(extension);
  return length > tail && strcasecmp(path + length - tail, extension) == 0;
}
