/* Networks as pictures: what is drawn, and that dot itself understands it. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <backdag/backdag.h>

#include "network_samples.h"

static bdag_context *context;

static void make_context(void) {
  context = sample_context();
  sample_register(context);
}

static void destroy_context(void) {
  bdag_context_destroy(context);
}

TestSuite(dot, .init = make_context, .fini = destroy_context);

static char *draw(const bdag_network *network) {
  char *text;
  size_t size;
  bdag_error error;
  FILE *const stream = open_memstream(&text, &size);
  cr_assert_eq(bdag_network_write_dot(network, stream, 0, &error), BDAG_OK, "%s", error.message);
  fclose(stream);
  return text;
}

static void expect_line(const char *text, const char *line) {
  cr_assert_not_null(strstr(text, line), "no \"%s\" in\n%s", line, text);
}

Test(dot, plain_network) {
  bdag_network *const network = sample_plain(context);
  char *const text = draw(network);
  expect_line(text, "{ rank=source; v0; v1; }\n");
  expect_line(text, "v0 [label=\"-1\\ninput\", shape=box");
  expect_line(text, "v2 [label=\"7\\nneat_sigmoid\"];\n");
  expect_line(text, "v3 [label=\"-9223372036854775808\\nneat_sigmoid\", peripheries=2];\n");
  /* 4 of 1e22 is next to nothing; the widest edge is disabled. */
  expect_line(text, "v2 -> v3 [color=\"#2166ac\", penwidth=0.5, tooltip=\"4\"];\n");
  expect_line(text,
              "v0 -> v3 [color=\"#2166ac\", penwidth=3.5, tooltip=\"1e22\", style=dashed];\n");
  expect_line(text, "v1 -> v2 [color=\"#999999\", penwidth=0.5, tooltip=\"-0\"];\n");
  cr_assert_null(strstr(text, "loss"));
  free(text);
  bdag_network_destroy(network);
}

Test(dot, loss_constants_and_removed_vertices) {
  bdag_network *const network = sample_edited(context);
  char *const text = draw(network);
  expect_line(text, "v2 [label=\"2\\n-0.7\", shape=diamond");
  expect_line(text, "loss [label=\"Loss\\nhuber\\ncross_entropy\\ntest.loss\"");
  expect_line(text, "{ rank=sink; loss; }\n");
  expect_line(text, "v5 -> loss [style=dotted];\n");
  expect_line(text, "v6 -> loss [style=dotted];\n");
  cr_assert_null(strstr(text, "v7"));
  /* Vertex 5 stands in several terms, but depends on Loss once. */
  cr_assert_null(strstr(strstr(text, "v5 -> loss") + 1, "v5 -> loss"));
  free(text);
  bdag_network_destroy(network);
}

Test(dot, dot_understands_it) {
  if (system("dot -V > /dev/null 2>&1") != 0) return;
  for (uint64_t seed = 1; seed <= 3; seed++) {
    bdag_network *const network = seed == 1 ? sample_edited(context) : sample_random(context, seed);
    FILE *const dot = popen("dot -Tsvg > /dev/null 2>&1", "w");
    cr_assert_not_null(dot);
    cr_assert_eq(bdag_network_write_dot(network, dot, 0, NULL), BDAG_OK);
    cr_assert_eq(pclose(dot), 0);
    bdag_network_destroy(network);
  }
}

Test(dot, refuses_large_networks) {
  bdag_network *const network = sample_edited(context);
  FILE *const nowhere = fopen("/dev/null", "w");
  bdag_error error;
  /* 7 edges and 2 vertices of the loss. */
  cr_assert_eq(bdag_network_write_dot(network, nowhere, 9, &error), BDAG_OK);
  cr_assert_eq(bdag_network_write_dot(network, nowhere, 8, &error), BDAG_ERROR_LIMIT);
  fclose(nowhere);
  bdag_network_destroy(network);
}

Test(dot, full_disk_is_told) {
  FILE *const full = fopen("/dev/full", "w");
  if (full == NULL) return;
  bdag_network *const network = sample_plain(context);
  bdag_error error;
  cr_assert_eq(bdag_network_write_dot(network, full, 0, &error), BDAG_ERROR_IO);
  cr_assert_eq(bdag_network_write_dot(network, NULL, 0, &error), BDAG_ERROR_INVALID_ARGUMENT);
  fclose(full);
  bdag_network_destroy(network);
}
