/* The verb "scale": planning, memory and the cost of a step over networks of very different sizes. */
#ifndef BENCH_SCALE_RUN_H
#define BENCH_SCALE_RUN_H

int bench_scale_verb(int argc, char **argv);

#endif
