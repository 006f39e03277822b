/* A context with a counting allocator and an empty network, for the tests of this room. */
#ifndef TESTS_NETWORK_FIXTURE_H
#define TESTS_NETWORK_FIXTURE_H

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <backdag/backdag.h>

#include "../counting_allocator.h"

static counting_allocator counter;
static bdag_context *context;
static bdag_network *network;
static bdag_error error;

static inline void set_up(void) {
  const bdag_allocator hook = counting_allocator_hook(&counter);
  bdag_context_options options = BDAG_CONTEXT_OPTIONS_INIT;
  options.allocator = &hook;
  options.synthetic = "core:2 pu:1"; /* faster than looking at the machine */
  options.threads = 1;
  cr_assert_eq(bdag_context_create(&context, &options, &error), BDAG_OK);
  cr_assert_eq(bdag_network_create(&network, context, &error), BDAG_OK);
}

static inline void tear_down(void) {
  bdag_network_destroy(network);
  bdag_context_destroy(context);
  cr_assert_eq(counter.live, 0, "%d blocks leak", (int)counter.live);
}

#define assert_ok(call) cr_assert_eq(call, BDAG_OK, "%s", error.message)
#define assert_message(part)                                                                       \
  cr_assert_not_null(strstr(error.message, part), "\"%s\" lacks \"%s\"", error.message, part)

#endif
