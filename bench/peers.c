/* `bench peers`. */
#include "peers.h"
uint64_t bench_run_peers(const bench_settings *settings, const bench_machine *machine,
                         const char *const *names, uint64_t count, json_t *report) {
  return 0;
}
void bench_list_peers(FILE *stream) {
}
