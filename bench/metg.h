/* The verb `bench metg`: the scheduler alone, with tasks of a known length. */
#ifndef BENCH_METG_H
#define BENCH_METG_H

/* argv[0] is the name for messages. Returns the exit status. */
int bench_metg_verb(int argc, char **argv);

#endif
