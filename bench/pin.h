/* Binding of the team's threads to processors while times are taken. */
#ifndef BENCH_PIN_H
#define BENCH_PIN_H

#include <stdint.h>

/* Binds the caller and the other threads of its OpenMP team of `threads`, each to a processor of its
 * own as far as there are enough. The team must exist already (a pass has run), because new threads
 * inherit the caller's processors. */
void bench_pin_team(uint32_t threads);
/* Gives all of them back the processors that the caller had. */
void bench_unpin_team(void);

#endif
