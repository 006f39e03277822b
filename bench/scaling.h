/* The verb `bench scaling`. */
#ifndef BENCH_SCALING_H
#define BENCH_SCALING_H

/* argv[0] is the name for messages. Returns the exit status. */
int bench_scaling_verb(int argc, char **argv);

#endif
