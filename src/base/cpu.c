/* Instruction sets: which there are, which this processor has, which one to take. Floor 0. */
#include "base/cpu.h"

#include <stdlib.h>
#include <string.h>

#include "base/context_internal.h"
#include "base/error.h"

const char *bdag_isa_name(bdag_isa isa) {
  switch (isa) {
  case BDAG_ISA_AUTO:
    return "auto";
  case BDAG_ISA_BASELINE:
    return "baseline";
  case BDAG_ISA_AVX2:
    return "avx2";
  case BDAG_ISA_AVX512:
    return "avx512";
  case BDAG_ISA_NEON:
    return "neon";
  }
  return NULL;
}

int bdag_isa_available(bdag_isa isa) {
  switch (isa) {
#if defined(__x86_64__)
  case BDAG_ISA_BASELINE:
    return 1;
  case BDAG_ISA_AVX2:
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  case BDAG_ISA_AVX512:
    return bdag_isa_available(BDAG_ISA_AVX2) && __builtin_cpu_supports("avx512f") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
#elif defined(__aarch64__)
  case BDAG_ISA_BASELINE:
  case BDAG_ISA_NEON:
    return 1;
#else
  case BDAG_ISA_BASELINE:
    return 1;
#endif
  default:
    return 0;
  }
}

bdag_isa bdag_isa_best(void) {
  for (int isa = BDAG_ISA_NEON; isa > BDAG_ISA_BASELINE; isa--) {
    if (bdag_isa_available((bdag_isa)isa)) return (bdag_isa)isa;
  }
  return BDAG_ISA_BASELINE;
}

static void list_available(char *list, size_t size) {
  list[0] = '\0';
  for (int isa = BDAG_ISA_BASELINE; isa <= BDAG_ISA_NEON; isa++) {
    if (!bdag_isa_available((bdag_isa)isa)) continue;
    if (list[0] != '\0') strncat(list, ", ", size - strlen(list) - 1);
    strncat(list, bdag_isa_name((bdag_isa)isa), size - strlen(list) - 1);
  }
}

static bdag_status refuse(const char *where, const char *name, bdag_error *error) {
  char list[64];
  list_available(list, sizeof list);
  return bdag_fail(error, BDAG_ERROR_UNSUPPORTED,
                   "%s names the instruction set \"%.40s\", which this processor and build do not "
                   "have; available: auto, %s",
                   where, name, list);
}

static int find_isa(const char *name, bdag_isa *isa) {
  for (int i = BDAG_ISA_AUTO; i <= BDAG_ISA_NEON; i++) {
    if (strcmp(name, bdag_isa_name((bdag_isa)i)) == 0) {
      *isa = (bdag_isa)i;
      return 1;
    }
  }
  return 0;
}

bdag_status bdag_isa_choose(bdag_isa wanted, bdag_isa *chosen, bdag_error *error) {
  const char *where = "the context's option isa";
  const char *name = bdag_isa_name(wanted);
  if (name == NULL) return refuse(where, "(not a bdag_isa)", error);
  if (wanted == BDAG_ISA_AUTO) {
    const char *const variable = getenv("BACKDAG_ISA");
    if (variable != NULL && variable[0] != '\0') {
      where = "the environment variable BACKDAG_ISA";
      name = variable;
      if (!find_isa(name, &wanted)) return refuse(where, name, error);
    }
  }
  if (wanted == BDAG_ISA_AUTO) wanted = bdag_isa_best();
  if (!bdag_isa_available(wanted)) return refuse(where, name, error);
  *chosen = wanted;
  return BDAG_OK;
}
