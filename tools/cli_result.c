/* Results on the standard output: aligned text for people, one JSON object for programs. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "cli.h"

enum { NAME_WIDTH = 22 };

/* JSON names have underscores where text has spaces and hyphens. */
static void print_name(cli_result *result, const char *name) {
  if (!result->json) {
    printf("%-*s ", NAME_WIDTH, name);
    return;
  }
  fputs(result->count > 0 ? ",\n  \"" : "\n  \"", stdout);
  for (; *name != '\0'; name++) putchar(*name == ' ' || *name == '-' ? '_' : *name);
  fputs("\": ", stdout);
  result->count++;
}

static void print_string(const char *text) {
  putchar('"');
  for (; *text != '\0'; text++) {
    const unsigned char c = (unsigned char)*text;
    if (c == '"' || c == '\\')
      printf("\\%c", c);
    else if (c < 0x20)
      printf("\\u%04x", c);
    else
      putchar(c);
  }
  putchar('"');
}

static void print_real(double value) {
  if (isfinite(value))
    printf("%.9g", value);
  else
    fputs("null", stdout);
}

void cli_result_begin(cli_result *result, int json) {
  *result = (cli_result){json, 0};
  if (json) putchar('{');
}

void cli_result_text(cli_result *result, const char *name, const char *value) {
  print_name(result, name);
  if (result->json)
    print_string(value);
  else
    printf("%s\n", value);
}

void cli_result_count(cli_result *result, const char *name, uint64_t value) {
  print_name(result, name);
  printf("%" PRIu64 "%s", value, result->json ? "" : "\n");
}

void cli_result_real(cli_result *result, const char *name, double value) {
  print_name(result, name);
  if (result->json)
    print_real(value);
  else
    printf("%.6g\n", value);
}

void cli_result_share(cli_result *result, const char *name, double value) {
  print_name(result, name);
  if (result->json)
    print_real(value);
  else
    printf("%.2f %%\n", 100 * value);
}

const char *cli_format_bytes(char *buffer, uint64_t bytes) {
  static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  double value = (double)bytes;
  size_t unit = 0;
  for (; value >= 1024; unit++) value /= 1024;
  snprintf(buffer, 32, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
  return buffer;
}

void cli_result_bytes(cli_result *result, const char *name, uint64_t value) {
  char buffer[32];
  print_name(result, name);
  if (result->json)
    printf("%" PRIu64, value);
  else
    printf("%s\n", cli_format_bytes(buffer, value));
}

void cli_result_list(cli_result *result, const char *name, const uint64_t *values, size_t count) {
  print_name(result, name);
  if (result->json) putchar('[');
  for (size_t i = 0; i < count; i++) printf("%s%" PRIu64, i == 0 ? "" : ", ", values[i]);
  if (result->json)
    putchar(']');
  else
    putchar('\n');
}

static void metric(cli_result *result, const char *prefix, const char *name, double value,
                   int share) {
  char full[64];
  snprintf(full, sizeof full, "%s%s%s", prefix, prefix[0] == '\0' ? "" : " ", name);
  if (isnan(value) && !result->json) return;
  if (share)
    cli_result_share(result, full, value);
  else
    cli_result_real(result, full, value);
}

void cli_result_metrics(cli_result *result, const char *prefix, const cli_metrics *metrics) {
  char name[64];
  snprintf(name, sizeof name, "%s%ssamples", prefix, prefix[0] == '\0' ? "" : " ");
  cli_result_count(result, name, metrics->samples);
  metric(result, prefix, "loss", metrics->loss, 0);
  metric(result, prefix, "accuracy", metrics->accuracy, 1);
  metric(result, prefix, "mse", metrics->mse, 0);
}

int cli_result_end(cli_result *result) {
  if (result->json) fputs("\n}\n", stdout);
  return cli_flush();
}
