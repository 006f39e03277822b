/* A network as tensors. Floor 5: may include base, network. */
#ifndef BDAG_IO_NETWORK_TENSORS_H
#define BDAG_IO_NETWORK_TENSORS_H

#include <backdag/network.h>

#include "io/safetensors.h"

/* What a checkpoint adds: other values of the parameters (NULL: the network's), and up to 8 tensors
 * and texts of its own. */
typedef struct bdag_tensor_extra {
  const double *values;
  const bdag_tensor_source *tensors;
  uint64_t tensor_count;
  const bdag_tensor_text *texts;
  uint64_t text_count;
} bdag_tensor_extra;

/* F32 where that holds every value exactly: half the size. `values` NULL: zeros. */
bdag_tensor_type bdag_tensor_narrowest(uint64_t count, const double *values);

/* `extra` may be NULL. Failures of the file are left to its commit. */
bdag_status bdag_tensors_write_network(const bdag_network *network, const bdag_tensor_extra *extra,
                                       bdag_atomic_file *file, bdag_error *error);
bdag_status bdag_tensors_read_network(bdag_network **network, bdag_context *context,
                                      const void *bytes, size_t size, const char *file,
                                      bdag_error *error);

#endif
