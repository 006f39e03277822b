/* How threads wait. libgomp lets a thread that waits for another spin for some ten milliseconds. On a
 * machine that has nothing else to do that is the fastest; beside other programs it made training 10 to
 * 20 times slower, because what is waited for has no processor. The runtime reads its environment
 * before main, so the program sets it and starts itself again. What the user set is left alone. */
#include <stdlib.h>
#include <unistd.h>

#include "cli.h"

void cli_wait_politely(char **argv) {
  static const char *const variables[] = {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"};
  for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++)
    if (getenv(variables[i]) != NULL) return;
  if (setenv("OMP_WAIT_POLICY", "passive", 1) == 0) execv("/proc/self/exe", argv);
  /* Not possible here: go on as it is. */
}
