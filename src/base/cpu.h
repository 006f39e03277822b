/* Choosing the instruction set. Floor 0. */
#ifndef BDAG_BASE_CPU_H
#define BDAG_BASE_CPU_H

#include <backdag/context.h>

/* "auto", "baseline", "avx2", "avx512", "neon"; NULL for an unknown one. */
const char *bdag_isa_name(bdag_isa isa);

/* What to use: `wanted`, or for AUTO what BACKDAG_ISA says, or the best. Returns OK, UNSUPPORTED. */
bdag_status bdag_isa_choose(bdag_isa wanted, bdag_isa *chosen, bdag_error *error);

#endif
