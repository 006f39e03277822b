/* Scenarios: networks, checkpoints and tables in files. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "oom.h"

static const char *path_of(const oom_state *state, const char *name, char path[128]) {
  snprintf(path, 128, "%s/%s", state->folder, name);
  return path;
}

void oom_networks_in_files(oom_state *state) {
  static const char *const names[] = {"n.json", "n.safetensors"};
  bdag_network *const network = oom_make_network(state);
  bdag_network *loaded = NULL;
  char path[128], again[128];
  FILE *stream = NULL;
  char *text = NULL;
  size_t size = 0;
  if (network == NULL) return;
  oom_arm();
  for (int i = 0; i < 2; i++) {
    path_of(state, names[i], path);
    OOM_TRY(bdag_network_save(network, path, BDAG_NETWORK_AUTO, &state->error));
    oom_add_file(state, path);
    OOM_MAKE(bdag_network_load(&loaded, state->context, path, &state->error));
    path_of(state, i == 0 ? "again.json" : "again.safetensors", again);
    OOM_TRY(bdag_network_save(loaded, again, BDAG_NETWORK_AUTO, &state->error));
    oom_add_file(state, again);
    bdag_network_destroy(loaded);
    loaded = NULL;
    unlink(path);
    unlink(again);
  }
  stream = open_memstream(&text, &size);
  OOM_TRY((rewind(stream), bdag_network_write_dot(network, stream, 0, &state->error)));
  fflush(stream);
  oom_add(state, text, size);
done:
  unlink(path);
  if (stream != NULL) fclose(stream);
  free(text);
  bdag_network_destroy(loaded);
  bdag_network_destroy(network);
}

void oom_checkpoint(oom_state *state) {
  bdag_network *const network = oom_make_network(state);
  bdag_plan *plan = NULL;
  bdag_weights *weights = NULL, *second = NULL;
  bdag_trainer *trainer = NULL, *resumed = NULL;
  bdag_trainer_options options = BDAG_TRAINER_OPTIONS_INIT;
  options.max_batch = 16;
  options.deterministic = 1;
  const bdag_array x = {oom_x, BDAG_FLOAT32, OOM_INPUTS, 1};
  const bdag_array targets = {oom_targets, BDAG_FLOAT32, OOM_TARGETS, 1};
  char path[128];
  double loss;
  uint64_t epoch = 0;
  path_of(state, "checkpoint.safetensors", path);
  if (network == NULL) return;
  OOM_MAKE(bdag_plan_create(&plan, network, NULL, &state->error));
  OOM_MAKE(bdag_weights_create(&weights, plan, network, BDAG_FLOAT32, &state->error));
  OOM_MAKE(bdag_weights_copy(&second, weights, &state->error));
  OOM_MAKE(bdag_trainer_create(&trainer, plan, weights, &options, &state->error));
  OOM_MAKE(bdag_trainer_create(&resumed, plan, second, &options, &state->error));
  OOM_TRY(bdag_trainer_step(trainer, 16, &x, &targets, NULL, &loss));
  oom_arm();
  OOM_TRY(bdag_checkpoint_save(network, weights, trainer, 7, path, &state->error));
  oom_add_file(state, path);
  OOM_TRY(bdag_checkpoint_restore(resumed, network, path, &epoch, &state->error));
  oom_add(state, &epoch, sizeof epoch);
  OOM_TRY(bdag_trainer_step(resumed, 16, &x, &targets, NULL, &loss));
  oom_add(state, &loss, sizeof loss);
  OOM_TRY(bdag_network_take_weights(network, weights, &state->error));
  double values[4];
  OOM_NONE(bdag_network_get_parameters(network, 8, 4, values));
  oom_add(state, values, sizeof values);
done:
  unlink(path);
  bdag_trainer_destroy(resumed);
  bdag_trainer_destroy(trainer);
  bdag_weights_release(second);
  bdag_weights_release(weights);
  bdag_plan_release(plan);
  bdag_network_destroy(network);
}

static void add_table(oom_state *state, const bdag_table *table) {
  const bdag_array array = bdag_table_array(table, 0);
  const uint64_t shape[] = {bdag_table_rows(table), bdag_table_columns(table)};
  const size_t size = array.type == BDAG_FLOAT32 ? sizeof(float) : sizeof(double);
  oom_add(state, shape, sizeof shape);
  oom_add(state, array.data, (size_t)(shape[0] * shape[1]) * size);
  for (uint64_t c = 0; c < shape[1]; c++) {
    const char *const name = bdag_table_column_name(table, c);
    if (name != NULL) oom_add(state, name, strlen(name));
  }
}

void oom_tables(oom_state *state) {
  static const char csv[] = "a,\"b \"\"x\"\"\",c\r\n1,2,3\r\n-4.5,5e3,\"6\"\r\n";
  static const char fann[] = "2 2 1\n0.5 1\n1\n-1 2\n0\n";
  static const unsigned char idx[] = {0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 255};
  static const struct {
    const void *bytes;
    size_t size;
    bdag_data_format format;
  } cases[] = {{csv, sizeof csv - 1, BDAG_DATA_CSV},
               {fann, sizeof fann - 1, BDAG_DATA_FANN},
               {idx, sizeof idx, BDAG_DATA_IDX}};
  static const char *const names[] = {"x", "y", "z"};
  bdag_table *table = NULL;
  char path[128] = "", npy[128] = "";
  path_of(state, "t.csv", path);
  path_of(state, "t.npy", npy);
  oom_arm();
  for (int i = 0; i < 3; i++) {
    bdag_table_options options = BDAG_TABLE_OPTIONS_INIT;
    options.format = cases[i].format;
    OOM_MAKE(bdag_table_parse(&table, state->context, cases[i].bytes, cases[i].size, &options,
                              &state->error));
    add_table(state, table);
    const bdag_array array = bdag_table_array(table, 0);
    const uint64_t rows = bdag_table_rows(table), columns = bdag_table_columns(table);
    OOM_TRY(bdag_table_write(state->context, path, BDAG_DATA_CSV, rows, columns, &array, names,
                             &state->error));
    OOM_TRY(bdag_table_write(state->context, npy, BDAG_DATA_NPY, rows, columns, &array, NULL,
                             &state->error));
    bdag_table_destroy(table);
    table = NULL;
    oom_add_file(state, path);
    oom_add_file(state, npy);
    OOM_MAKE(bdag_table_load(&table, state->context, path, NULL, &state->error));
    add_table(state, table);
    bdag_table_destroy(table);
    table = NULL;
    OOM_MAKE(bdag_table_load(&table, state->context, npy, NULL, &state->error));
    add_table(state, table);
    bdag_table_destroy(table);
    table = NULL;
  }
done:
  unlink(path);
  unlink(npy);
  bdag_table_destroy(table);
}
