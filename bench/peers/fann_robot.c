/* Trains networks with libfann as it is by default (RPROP, sigmoids, weights from -0.1 to 0.1) and
 * prints the mean squared errors, as backdag train does: the mean over samples and outputs. */
#include <floatfann.h>
#include <stdio.h>
#include <stdlib.h>

static double mean_squared_error(struct fann *network, const struct fann_train_data *data) {
  double sum = 0;
  for (unsigned int s = 0; s < data->num_data; s++) {
    const fann_type *out = fann_run(network, data->input[s]);
    for (unsigned int o = 0; o < data->num_output; o++) {
      const double difference = (double)out[o] - (double)data->output[s][o];
      sum += difference * difference;
    }
  }
  return sum / ((double)data->num_data * data->num_output);
}

static int ascending(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static int train(double *error, struct fann_train_data *training, struct fann_train_data *test,
                 unsigned int hidden, unsigned int epochs, unsigned int seed) {
  struct fann *network = fann_create_standard(3, training->num_input, hidden, training->num_output);
  if (network == NULL) return 0;
  srand(seed); /* creation seeds by the clock: draw again */
  fann_randomize_weights(network, -0.1f, 0.1f);
  for (unsigned int e = 0; e < epochs; e++) fann_train_epoch(network, training);
  *error = mean_squared_error(network, test);
  printf("%5u  training %.6f  held-out %.6f\n", seed, mean_squared_error(network, training),
         *error);
  fann_destroy(network);
  return 1;
}

int main(int argc, char **argv) {
  if (argc != 6) {
    fprintf(stderr, "usage: %s TRAINING TEST HIDDEN EPOCHS SEEDS\n", argv[0]);
    return 2;
  }
  struct fann_train_data *training = fann_read_train_from_file(argv[1]);
  struct fann_train_data *test = fann_read_train_from_file(argv[2]);
  const unsigned int hidden = (unsigned int)strtoul(argv[3], NULL, 10);
  const unsigned int epochs = (unsigned int)strtoul(argv[4], NULL, 10);
  const unsigned int seeds = (unsigned int)strtoul(argv[5], NULL, 10);
  double *errors = calloc(seeds + 1, sizeof *errors);
  int good = training != NULL && test != NULL && errors != NULL && seeds > 0;
  puts(" seed  mean squared error");
  for (unsigned int i = 0; good && i < seeds; i++)
    good = train(&errors[i], training, test, hidden, epochs, i + 1);
  if (good) {
    qsort(errors, seeds, sizeof *errors, ascending);
    printf("median held-out %.6f\n", (errors[(seeds - 1) / 2] + errors[seeds / 2]) / 2);
  }
  free(errors);
  if (test != NULL) fann_destroy_train(test);
  if (training != NULL) fann_destroy_train(training);
  return good ? 0 : 1;
}
