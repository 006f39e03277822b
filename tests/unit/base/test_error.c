/* Reports: phrases, truncation, places, independence from the locale. */
#include <criterion/criterion.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

Test(error, every_status_has_its_own_phrase) {
  for (int i = 0; i <= BDAG_ERROR_THREADS; i++) {
    const char *const phrase = bdag_status_string((bdag_status)i);
    cr_assert_not_null(phrase);
    cr_assert_gt(strlen(phrase), 0);
    cr_assert_str_neq(phrase, bdag_status_string((bdag_status)9999));
    for (int j = 0; j < i; j++) cr_assert_str_neq(phrase, bdag_status_string((bdag_status)j));
  }
  cr_assert_str_eq(bdag_status_string(BDAG_ERROR_CYCLE), "directed cycle");
  cr_assert_str_eq(bdag_status_string((bdag_status)-1), "unknown status");
}

Test(error, null_is_fine) {
  cr_assert_eq(bdag_fail(NULL, BDAG_ERROR_LIMIT, "%d", 3), BDAG_ERROR_LIMIT);
  cr_assert_eq(bdag_fail_at(NULL, BDAG_ERROR_IO, "f", 1, 2, "x"), BDAG_ERROR_IO);
  cr_assert_eq(bdag_fail_memory(NULL), BDAG_ERROR_OUT_OF_MEMORY);
}

Test(error, report_is_filled_in) {
  bdag_error error;
  memset(&error, 0x7F, sizeof error);
  cr_assert_eq(bdag_fail(&error, BDAG_ERROR_CYCLE, "vertex %d of %s", 3, "it"), BDAG_ERROR_CYCLE);
  cr_assert_eq(error.status, BDAG_ERROR_CYCLE);
  cr_assert_eq(error.line, 0);
  cr_assert_eq(error.offset, UINT64_MAX);
  cr_assert_str_eq(error.file, "");
  cr_assert_str_eq(error.message, "vertex 3 of it");
  bdag_fail_at(&error, BDAG_ERROR_FORMAT, "data.csv", 7, 120, "bad number");
  cr_assert_eq(error.line, 7);
  cr_assert_eq(error.offset, 120);
  cr_assert_str_eq(error.file, "data.csv");
  cr_assert_eq(bdag_fail_memory(&error), BDAG_ERROR_OUT_OF_MEMORY);
  cr_assert_eq(error.status, BDAG_ERROR_OUT_OF_MEMORY);
  cr_assert_gt(strlen(error.message), 10);
}

Test(error, newlines_at_the_end_are_dropped) {
  bdag_error error;
  bdag_fail(&error, BDAG_ERROR_IO, "line\n\n");
  cr_assert_str_eq(error.message, "line");
  bdag_fail(&error, BDAG_ERROR_IO, "\n");
  cr_assert_str_eq(error.message, "");
}

Test(error, long_messages_are_cut_at_a_whole_character) {
  char text[1200];
  bdag_error error;
  for (int shift = 0; shift < 3; shift++) {
    memset(text, 'a', 511 - (size_t)shift);
    strcpy(text + 511 - shift, "€€€"); /* 3 bytes each */
    bdag_fail(&error, BDAG_ERROR_IO, "%s", text);
    cr_assert_eq(strlen(error.message), 511 - (size_t)shift);
  }
  memset(text, 'a', 508);
  strcpy(text + 508, "€z");
  bdag_fail(&error, BDAG_ERROR_IO, "%s", text);
  cr_assert_eq(strlen(error.message), 511);
  cr_assert_str_eq(error.message + 508, "€");
}

Test(error, long_paths_keep_their_end) {
  char path[600];
  bdag_error error;
  memset(path, 'x', sizeof path);
  strcpy(path + 580, "/network.json");
  bdag_fail_at(&error, BDAG_ERROR_IO, path, 0, UINT64_MAX, "m");
  cr_assert_eq(strlen(error.file), sizeof error.file - 1);
  cr_assert_eq(strncmp(error.file, "...", 3), 0);
  cr_assert_str_eq(error.file + strlen(error.file) - 13, "/network.json");
  path[255] = '\0';
  bdag_fail_at(&error, BDAG_ERROR_IO, path, 0, UINT64_MAX, "m");
  cr_assert_str_eq(error.file, path);
  memset(path, 'x', 256);
  path[256] = '\0';
  bdag_fail_at(&error, BDAG_ERROR_IO, path, 0, UINT64_MAX, "m");
  cr_assert_eq(strncmp(error.file, "...x", 4), 0);
  cr_assert_eq(strlen(error.file), 255);
}

Test(error, a_report_may_quote_itself) {
  bdag_error error;
  bdag_fail_at(&error, BDAG_ERROR_IO, "a.json", 3, 4, "inner");
  bdag_fail_at(&error, BDAG_ERROR_FORMAT, error.file, error.line, error.offset, "outer: %s",
               error.message);
  cr_assert_str_eq(error.message, "outer: inner");
  cr_assert_str_eq(error.file, "a.json");
  cr_assert_eq(error.line, 3);
}

/* Makes a locale with a decimal comma in a folder of its own, because few machines have one. */
static int use_comma_locale(void) {
  static char folder[] = "/tmp/backdag-locale-XXXXXX";
  char command[256];
  cr_assert_not_null(mkdtemp(folder));
  snprintf(command, sizeof command, "localedef -i de_DE -f UTF-8 %s/comma 2>/dev/null", folder);
  const int made = system(command) == 0;
  setenv("LOCPATH", folder, 1);
  const int used = made && setlocale(LC_ALL, "comma") != NULL;
  snprintf(command, sizeof command, "rm -r %s", folder);
  cr_assert_eq(system(command), 0);
  return used;
}

Test(error, numbers_do_not_depend_on_the_locale) {
  if (!use_comma_locale()) cr_skip_test("no locale with a decimal comma can be made here");
  char plain[16];
  snprintf(plain, sizeof plain, "%.1f", 1.5);
  cr_assert_str_eq(plain, "1,5");
  bdag_error error;
  bdag_fail(&error, BDAG_ERROR_IO, "%.1f", 1.5);
  cr_assert_str_eq(error.message, "1.5");
  snprintf(plain, sizeof plain, "%.1f", 1.5);
  cr_assert_str_eq(plain, "1,5", "the thread's locale was not put back");
}
