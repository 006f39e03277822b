/* Parts of the gradient: whichever way they take, the sum is the same; their buffers stay small. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "trace_fixture.h"

enum { TIMES = 12 };

static uint64_t gradient_bytes(const trace_fixture *f) {
  return f->plan->state_count * f->engine->element;
}

static char *gradient_after_step(trace_fixture *f) {
  double loss;
  char *copy = malloc(gradient_bytes(f));
  cr_assert_eq(fixture_step(f, &loss), BDAG_OK);
  memcpy(copy, f->engine->gradient, gradient_bytes(f));
  return copy;
}

/* The same added to that of another batch. */
static char *gradient_after_two(trace_fixture *f) {
  const uint64_t columns = f->plan->target_count;
  const bdag_array targets = {f->targets, BDAG_FLOAT32, (ptrdiff_t)columns, 1};
  bdag_backward_options options = BDAG_BACKWARD_OPTIONS_INIT;
  double loss;
  char *copy = malloc(gradient_bytes(f));
  options.targets = &targets;
  options.accumulate = 1;
  cr_assert_eq(bdag_forward(f->engine, f->weights, f->batch / 2, f->x, f->y), BDAG_OK);
  cr_assert_eq(bdag_backward(f->engine, f->weights, f->targets, NULL, &loss), BDAG_OK);
  cr_assert_eq(bdag_forward(f->engine, f->weights, f->batch, f->x, f->y), BDAG_OK);
  cr_assert_eq(bdag_backward_arrays(f->engine, f->weights, &options, &loss), BDAG_OK);
  memcpy(copy, f->engine->gradient, gradient_bytes(f));
  return copy;
}

static char *gradient_after(trace_fixture *f, int passes) {
  return passes > 1 ? gradient_after_two(f) : gradient_after_step(f);
}

static void give_room(const trace_fixture *f, size_t room) {
  if (room == SIZE_MAX) return;
  f->engine->parts.room = room;
  if (f->engine->parts.sections > 0) bdag_parts_cut(f->engine);
}

static char *serial_gradient(const trace_wish *wish, size_t room, int passes) {
  trace_fixture f;
  trace_wish serial = *wish;
  serial.axis = BDAG_AXIS_SERIAL;
  fixture_random(&f, &serial);
  give_room(&f, room);
  char *gradient = gradient_after(&f, passes);
  fixture_release(&f);
  return gradient;
}

/* The room of each thread is made smaller before the passes, and so are stretches. */
static void check_passes(const trace_wish *wish, size_t room, size_t stretch, int passes) {
  trace_fixture f;
  fixture_random(&f, wish);
  cr_assert_gt(bdag_engine_choose_groups(f.engine, f.engine->tiles, wish->axis), 2);
  give_room(&f, room);
  if (stretch != 0) f.engine->parts.stretch = stretch;
  char *expected = serial_gradient(wish, room == 0 ? 0 : SIZE_MAX, passes);
  for (int i = 0; i < TIMES; i++) {
    char *found = gradient_after(&f, passes);
    cr_assert(memcmp(found, expected, gradient_bytes(&f)) == 0,
              "axis %d, %u threads, %zu bytes, stretch %zu, %d passes: other sums", (int)wish->axis,
              wish->threads, room, stretch, passes);
    free(found);
  }
  free(expected);
  fixture_release(&f);
}

/* Groups of several chunks without room: they do not begin at zero. */
static void check_room(bdag_axis axis, uint32_t threads, size_t room) {
  const trace_wish wish = {.threads = threads,
                           .axis = axis,
                           .batch = 1000,
                           .deterministic = 1,
                           .groups = room == 0 ? 3 : 0,
                           .granularity = BDAG_GRANULARITY_VERTEX};
  for (int passes = 1; passes <= 2; passes++) {
    check_passes(&wish, room, 0, passes);
    check_passes(&wish, room, 100, passes);
  }
}

/* The room of the largest task, or of a few. */
Test(accumulate, sums_do_not_depend_on_room) {
  for (uint32_t threads = 2; threads <= 5; threads++) {
    check_room(BDAG_AXIS_TILES, threads, SIZE_MAX);
    check_room(BDAG_AXIS_TILES, threads, 128);
    check_room(BDAG_AXIS_TILES, threads, 320);
    check_room(BDAG_AXIS_TILES, threads, 4096);
  }
}

/* Tasks without room add to the gradient directly, when it is their turn. */
Test(accumulate, without_room_in_turn) {
  for (uint32_t threads = 2; threads <= 5; threads++) {
    check_room(BDAG_AXIS_TILES, threads, 0);
    check_room(BDAG_AXIS_VERTICES, threads, 0);
    check_room(BDAG_AXIS_BOTH, threads, 0);
  }
}

/* Also with fewer threads than were asked for. */
Test(accumulate, passes_repeat_themselves) {
  for (uint32_t threads = 2; threads <= 5; threads++)
    for (size_t room = 0; room <= 4096; room = room * 2 + 256) {
      const trace_wish wish = {.threads = threads,
                               .axis = BDAG_AXIS_TILES,
                               .batch = 1500,
                               .granularity = BDAG_GRANULARITY_VERTEX};
      trace_fixture f;
      fixture_random(&f, &wish);
      give_room(&f, room);
      f.engine->parts.stretch = 100;
      char *first = gradient_after_step(&f);
      for (int i = 0; i < TIMES / 2; i++) {
        char *found = gradient_after_step(&f);
        cr_assert(memcmp(found, first, gradient_bytes(&f)) == 0, "%u threads, %zu bytes", threads,
                  room);
        free(found);
      }
      free(first);
      fixture_release(&f);
    }
}

Test(accumulate, groups_are_even) {
  trace_fixture f;
  const trace_wish wish = {.threads = 3, .axis = BDAG_AXIS_TILES, .batch = 3000};
  fixture_random(&f, &wish);
  for (uint64_t tiles = 1; tiles <= f.engine->tiles; tiles++) {
    const uint32_t groups = bdag_engine_choose_groups(f.engine, tiles, BDAG_AXIS_TILES);
    cr_assert(groups >= 1 && groups <= tiles);
    cr_assert(groups % 3 == 0 || tiles < 3, "%u groups of %u tiles", groups, (unsigned)tiles);
    cr_assert(tiles <= 3 || groups >= 3);
  }
  fixture_release(&f);
}

/* Each tile is in one group, and tiles whose groups may run at once have rows of their own. */
Test(accumulate, rows_are_apart) {
  for (uint32_t threads = 1; threads <= 4; threads++)
    for (int deterministic = 0; deterministic < 2; deterministic++)
      for (uint64_t batch = 64; batch <= 64 * 23; batch += 64) {
        const trace_wish wish = {.threads = threads,
                                 .axis = threads > 1 ? BDAG_AXIS_TILES : BDAG_AXIS_SERIAL,
                                 .batch = batch,
                                 .deterministic = deterministic};
        trace_fixture f;
        double loss;
        uint8_t seen[23] = {0};
        uint32_t thread_of_place[23];
        fixture_random(&f, &wish);
        f.engine->options.keep = BDAG_KEEP_WEIGHT_GRAD;
        cr_assert_eq(fixture_step(&f, &loss), BDAG_OK);
        memset(thread_of_place, 0xff, sizeof thread_of_place);
        for (uint32_t g = 0; g < f.engine->pass_groups; g++) {
          const uint64_t stretch = bdag_stretch_of(f.engine, g);
          for (uint64_t tile = bdag_stretch_begin(f.engine, stretch);
               tile < bdag_stretch_begin(f.engine, stretch + 1); tile++) {
            const uint64_t place = bdag_grad_tile(f.engine, tile);
            cr_assert_lt(place, f.engine->tiles);
            if (thread_of_place[place] == UINT32_MAX) thread_of_place[place] = g % threads;
            cr_assert_eq(thread_of_place[place], g % threads);
            seen[tile]++;
          }
        }
        for (uint64_t t = 0; t < f.engine->tiles; t++) cr_assert_eq(seen[t], 1);
        fixture_release(&f);
      }
}

/* Buffers are bounded by threads, not by threads times edges. */
Test(accumulate, many_edges_need_no_more_buffers) {
  enum { WIDTH = 800, THREADS = 16, MIB = 1 << 20 };
  bdag_context_options context_options = BDAG_CONTEXT_OPTIONS_INIT;
  bdag_engine_options options = BDAG_ENGINE_OPTIONS_INIT;
  bdag_engine_info info = {.size = sizeof info};
  const bdag_activation activation = bdag_activation_default(BDAG_TANH);
  bdag_context *context;
  bdag_network *network;
  bdag_plan *plan;
  bdag_engine *engine;
  uint32_t output = 4 * WIDTH - 1, *source = malloc(3 * WIDTH * WIDTH * sizeof *source);
  uint32_t *target = malloc(3 * WIDTH * WIDTH * sizeof *target), edges = 0;
  const bdag_loss_term term = {BDAG_MEAN_SQUARED_ERROR, 1, &output, 1, 0};
  for (uint32_t v = WIDTH; v < 4 * WIDTH; v++)
    for (uint32_t u = 0; u < WIDTH; u++, edges++) {
      source[edges] = (v / WIDTH - 1) * WIDTH + u;
      target[edges] = v;
    }
  context_options.threads = THREADS;
  context_options.oversubscribe = 1;
  options.axis = BDAG_AXIS_TILES;
  cr_assert_eq(bdag_context_create(&context, &context_options, NULL), BDAG_OK);
  cr_assert_eq(bdag_network_create(&network, context, NULL), BDAG_OK);
  cr_assert_eq(bdag_network_add_inputs(network, WIDTH, NULL, NULL), BDAG_OK);
  cr_assert_eq(bdag_network_add_vertices(network, 3 * WIDTH, &activation, NULL, NULL), BDAG_OK);
  cr_assert_eq(bdag_network_add_edges(network, edges, source, target, NULL, NULL, NULL), BDAG_OK);
  cr_assert_eq(bdag_network_add_loss(network, &term, NULL), BDAG_OK);
  cr_assert_eq(bdag_plan_create(&plan, network, NULL, NULL), BDAG_OK);
  for (int deterministic = 0; deterministic < 2; deterministic++) {
    options.deterministic = deterministic;
    cr_assert_eq(bdag_engine_create(&engine, plan, &options, NULL), BDAG_OK);
    cr_assert_eq(bdag_engine_describe(engine, &info), BDAG_OK);
    cr_assert_eq(info.threads, THREADS);
    cr_assert_geq(info.gradient_bytes, edges * sizeof(float));
    cr_assert_leq(info.gradient_bytes, edges * sizeof(float) + THREADS * UINT64_C(2) * MIB + MIB);
    cr_assert_geq(info.bytes, info.gradient_bytes);
    bdag_engine_destroy(engine);
  }
  bdag_plan_release(plan);
  bdag_network_destroy(network);
  bdag_context_destroy(context);
  free(source);
  free(target);
}

/* Zeros beside a panel's targets stay zeros, also where a sample is left out and what was in the buffers
 * before is no number. */
Test(accumulate, padding_gets_nothing) {
  const trace_wish wish = {.threads = 2, .axis = BDAG_AXIS_TILES, .batch = 600, .deterministic = 1};
  trace_fixture f;
  double loss, weight[600];
  uint64_t padding = 0;
  fixture_dense(&f, &wish);
  for (int s = 0; s < 600; s++) weight[s] = s % 64 != 63;
  for (int s = 63; s < 600; s += 64) f.x[s * 16] = NAN;
  memset(f.engine->parts.bytes, 0xff, 2 * f.engine->parts.room);
  cr_assert_eq(bdag_forward(f.engine, f.weights, 600, f.x, f.y), BDAG_OK);
  cr_assert_eq(bdag_backward(f.engine, f.weights, f.targets, weight, &loss), BDAG_OK);
  const float *gradient = (const float *)f.engine->gradient;
  for (uint32_t p = 0; p < f.plan->panels; p++)
    for (uint32_t k = 0; k < f.plan->panel[p].sources; k++)
      for (uint32_t r = 0; r < f.plan->panel[p].step; r++) {
        const float g = gradient[f.plan->panel[p].slot + k * f.plan->panel[p].step + r];
        cr_assert(isfinite(g));
        if (r < f.plan->panel[p].targets) continue;
        cr_assert_eq(g, 0);
        padding++;
      }
  cr_assert_gt(padding, 0);
  fixture_release(&f);
}
