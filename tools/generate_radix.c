/* RadiX-Net (Kepner and Robinett 2019, "RadiX-Net: structured sparse matrices for deep neural
 * networks"), the topology of the Sparse DNN Graph Challenge: layers of equal size, `degree` in-edges a
 * neuron, neuron i reading i + k·stride of the layer before. Strides run through the places of a
 * mixed-radix number system (1, degree, degree², …, neurons/degree), so that after one round every
 * neuron depends on every neuron: 1024 neurons of degree 32 alternate strides 1 and 32. */
#include "generate.h"

static uint64_t next_stride(uint64_t stride, uint64_t neurons, uint64_t degree) {
  const uint64_t last = neurons / degree;
  if (stride >= last) return 1;
  return stride * degree < last ? stride * degree : last;
}

int generate_radix(generated *graph, const generate_request *request) {
  const uint64_t neurons = request->size[0], layers = request->size[1];
  const uint64_t degree = request->sizes > 2 ? request->size[2] : 32;
  if (layers == 0 || degree == 0 || neurons == 0 || neurons % degree != 0 ||
      neurons > UINT32_MAX / (layers + 1)) {
    cli_fail("--radix: NEURONS must be a multiple of DEGREE (%llu), LAYERS at least 1, and all "
             "vertices fewer than 2^32",
             (unsigned long long)degree);
    return CLI_USAGE;
  }
  graph->inputs = graph->outputs = (uint32_t)neurons;
  graph->vertices = (uint32_t)(neurons * (layers + 1));
  if (generated_reserve(graph, neurons * layers * degree) != CLI_OK) return CLI_FAILED;
  uint64_t stride = 1;
  for (uint64_t layer = 0; layer < layers; layer++) {
    const uint64_t before = layer * neurons, here = before + neurons;
    for (uint64_t i = 0; i < neurons; i++)
      for (uint64_t k = 0; k < degree; k++)
        if (generated_add(graph, (uint32_t)(before + (i + k * stride) % neurons),
                          (uint32_t)(here + i)) != CLI_OK)
          return CLI_FAILED;
    stride = next_stride(stride, neurons, degree);
  }
  return CLI_OK;
}
