/* `bench plot REPORT.json`. Includes nothing. */
#ifndef BENCH_PLOT_VERB_H
#define BENCH_PLOT_VERB_H

int bench_plot_verb(int argc, char **argv);

#endif
