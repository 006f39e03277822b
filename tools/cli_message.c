/* Messages on the standard error and the check that results reached the standard output. */
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "cli.h"

void cli_note(const char *format, ...) {
  va_list list;
  va_start(list, format);
  fputs("backdag: ", stderr);
  vfprintf(stderr, format, list);
  fputc('\n', stderr);
  va_end(list);
}

int cli_fail(const char *format, ...) {
  va_list list;
  va_start(list, format);
  fputs("backdag: ", stderr);
  vfprintf(stderr, format, list);
  fputc('\n', stderr);
  va_end(list);
  return CLI_FAILED;
}

int cli_fail_error(const bdag_error *error) {
  fputs("backdag: ", stderr);
  /* The library's sentence may name the place itself. */
  const int named = error->file[0] != '\0' && strstr(error->message, error->file) != NULL;
  if (error->file[0] != '\0' && !named) {
    fputs(error->file, stderr);
    if (error->line != 0)
      fprintf(stderr, ":%llu", (unsigned long long)error->line);
    else if (error->offset != UINT64_MAX)
      fprintf(stderr, " at byte %llu", (unsigned long long)error->offset);
    fputs(": ", stderr);
  }
  fprintf(stderr, "%s\n",
          error->message[0] != '\0' ? error->message : bdag_status_string(error->status));
  return CLI_FAILED;
}

int cli_fail_status(const char *what, bdag_status status, const bdag_engine *engine) {
  bdag_failure failure = {BDAG_OK, BDAG_NONE, BDAG_NONE, BDAG_NONE};
  if (engine != NULL) bdag_engine_last_failure(engine, &failure);
  fprintf(stderr, "backdag: %s: %s", what, bdag_status_string(status));
  if (failure.status == status) {
    if (failure.sample != BDAG_NONE)
      fprintf(stderr, ", sample %llu of the batch", (unsigned long long)failure.sample);
    if (failure.column != BDAG_NONE)
      fprintf(stderr, ", target column %llu", (unsigned long long)failure.column);
    if (failure.vertex != BDAG_NONE)
      fprintf(stderr, ", vertex %llu", (unsigned long long)failure.vertex);
  }
  fputc('\n', stderr);
  return CLI_FAILED;
}

int cli_flush(void) {
  if (fflush(stdout) == 0 && !ferror(stdout)) return CLI_OK;
  return cli_fail("cannot write to the standard output: %s", strerror(errno));
}
