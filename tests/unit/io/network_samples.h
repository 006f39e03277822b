/* Networks to write and read, and the comparison of what comes back. */
#ifndef TEST_NETWORK_SAMPLES_H
#define TEST_NETWORK_SAMPLES_H

#include <backdag/backdag.h>

bdag_context *sample_context(void);

/* Inputs, one hidden neuron, one output, in neat-python's terms only. */
bdag_network *sample_plain(bdag_context *context);
/* Everything that a file can hold but removed vertices and edges. */
bdag_network *sample_full(bdag_context *context);
/* The same with vertices of each kind and edges removed. */
bdag_network *sample_edited(bdag_context *context);
/* A seeded random network with mixed activations, skips, shared parameters and losses. */
bdag_network *sample_random(bdag_context *context, uint64_t seed);

/* Registers "test.double" as activation and "test.loss" as loss with the context. */
void sample_register(bdag_context *context);

/* Fails the test unless both hold the same under the same ids. */
void expect_same_network(const bdag_network *left, const bdag_network *right);

/* A file below the folder of temporary files that is the process's own; a static buffer. */
const char *temporary_path(const char *name);

#endif
