/* A stranger's program: 0, 1 inputs; 2, 3, 4 a chain of tanh; 5 the output; three edges skip. */
#include <stdio.h>
#include <backdag/backdag.h>
/* clang-format off */
static const uint32_t from[] = {0, 1, 2, 3, 4,  0, 2, 1}, to[] = {2, 2, 3, 4, 5,  4, 5, 5};
static const double weight[] = {0.5, -0.4, 0.9, 1.1, 0.7,  0.3, -0.6, 0.2};
int main(void) {
  const bdag_activation hyperbolic = bdag_activation_default(BDAG_TANH);
  const uint32_t output = 5;
  const bdag_loss_term loss = {BDAG_MEAN_SQUARED_ERROR, 1, &output, 1, 0};
  bdag_context *context; bdag_network *network; bdag_plan *plan; bdag_weights *weights;
  bdag_engine *engine; bdag_error error; double value; float x[100][2], y[100], gradient[8];
  for (int s = 0; s < 100; s++) x[s][0] = 0.01f * s, x[s][1] = 1 - x[s][0], y[s] = x[s][0] * x[s][1];
  if (bdag_context_create(&context, NULL, &error) || bdag_network_create(&network, context, &error) ||
      bdag_network_add_inputs(network, 2, NULL, &error) ||
      bdag_network_add_vertices(network, 3, &hyperbolic, NULL, &error) ||
      bdag_network_add_vertices(network, 1, NULL, NULL, &error) ||
      bdag_network_add_edges(network, 8, from, to, weight, NULL, &error) ||
      bdag_network_add_loss(network, &loss, &error) || bdag_plan_create(&plan, network, NULL, &error) ||
      bdag_weights_create(&weights, plan, network, BDAG_FLOAT32, &error) ||
      bdag_engine_create(&engine, plan, NULL, &error)) return fprintf(stderr, "%s\n", error.message), 1;
  if (bdag_forward(engine, weights, 100, x, NULL) || bdag_backward(engine, weights, y, NULL, &value) ||
      bdag_read_weight_grad(engine, 0, 8, gradient)) return fprintf(stderr, "a pass failed\n"), 1;
  printf("loss %.6f\n", value);
  for (int e = 0; e < 8; e++) printf("%u -> %u  %+.6f\n", from[e], to[e], gradient[e]);
  bdag_engine_destroy(engine); bdag_weights_release(weights); bdag_plan_release(plan);
  bdag_network_destroy(network); bdag_context_destroy(context);
  return 0;
}
