/* Data files as samples of a network: which columns are inputs, which are targets. */
#include <string.h>

#include "cli.h"

size_t cli_type_size(bdag_type type) {
  return type == BDAG_FLOAT64 ? sizeof(double) : sizeof(float);
}

static char *element(const bdag_array *array, uint64_t sample, uint64_t column) {
  const ptrdiff_t index =
      (ptrdiff_t)sample * array->sample_stride + (ptrdiff_t)column * array->vertex_stride;
  return (char *)array->data + index * (ptrdiff_t)cli_type_size(array->type);
}

double cli_array_get(const bdag_array *array, uint64_t sample, uint64_t column) {
  const char *place = element(array, sample, column);
  return array->type == BDAG_FLOAT64 ? *(const double *)place : *(const float *)place;
}

void cli_array_set(const bdag_array *array, uint64_t sample, uint64_t column, double value) {
  char *place = element(array, sample, column);
  if (array->type == BDAG_FLOAT64)
    *(double *)place = value;
  else
    *(float *)place = (float)value;
}

static int load_table(bdag_table **table, bdag_context *context, const char *path,
                      const cli_source *source, bdag_type type, double scale) {
  bdag_table_options options = BDAG_TABLE_OPTIONS_INIT;
  bdag_error error;
  options.type = type;
  options.format = source->format;
  options.header = source->header;
  options.delimiter = source->delimiter;
  options.scale = scale;
  if (bdag_table_load(table, context, path, &options, &error) == BDAG_OK) return CLI_OK;
  return cli_fail_error(&error);
}

static const char *shown(const char *path) {
  return strcmp(path, "-") == 0 ? "standard input" : path;
}

/* Column of the first target in the table of samples, 0: the table holds no targets. */
static int find_targets(const cli_data *data, const cli_source *source, uint32_t inputs,
                        uint64_t targets, uint64_t *first) {
  const uint64_t columns = bdag_table_columns(data->table);
  const uint64_t declared = bdag_table_input_columns(data->table);
  const char *name = shown(source->data);
  *first = 0;
  if (declared != 0 && declared != inputs)
    return cli_fail("%s: the file has %llu inputs a sample, the network %u", name,
                    (unsigned long long)declared, inputs);
  if (columns == inputs) return CLI_OK;
  if (columns == inputs + targets || (declared != 0 && source->labels != NULL)) {
    *first = inputs;
    return CLI_OK;
  }
  if (source->labels != NULL || targets == 0)
    return cli_fail("%s: %llu columns, but the network has %u inputs", name,
                    (unsigned long long)columns, inputs);
  return cli_fail(
      "%s: %llu columns, but the network takes %u inputs and %llu targets, %llu columns "
      "(or %u and --labels)",
      name, (unsigned long long)columns, inputs, (unsigned long long)targets,
      (unsigned long long)(inputs + targets), inputs);
}

static int load_labels(cli_data *data, bdag_context *context, const cli_source *source,
                       bdag_type type, uint64_t targets) {
  if (targets == 0) return cli_fail("--labels: the network's loss takes no targets");
  cli_source own = *source;
  own.format = BDAG_DATA_AUTO; /* --data-format speaks of the samples */
  if (load_table(&data->label_table, context, own.labels, &own, type, 1.0) != CLI_OK)
    return CLI_FAILED;
  const char *name = shown(source->labels);
  if (bdag_table_columns(data->label_table) != targets)
    return cli_fail("%s: %llu columns, but the network's loss takes %llu target%s a sample%s", name,
                    (unsigned long long)bdag_table_columns(data->label_table),
                    (unsigned long long)targets, targets == 1 ? "" : "s",
                    bdag_table_columns(data->label_table) == 1
                        ? "; one class index a sample suits cross_entropy"
                        : "");
  if (bdag_table_rows(data->label_table) != data->samples.count)
    return cli_fail("%s: %llu rows, but %s has %llu", name,
                    (unsigned long long)bdag_table_rows(data->label_table), shown(source->data),
                    (unsigned long long)data->samples.count);
  data->samples.targets = bdag_table_array(data->label_table, 0);
  return CLI_OK;
}

/* Done here and not while reading, because targets of the same file must keep their values. */
static void scale_inputs(const bdag_samples *samples, uint32_t inputs, double scale) {
  for (uint64_t s = 0; s < samples->count; s++)
    for (uint32_t j = 0; j < inputs; j++)
      cli_array_set(&samples->x, s, j, cli_array_get(&samples->x, s, j) * scale);
}

int cli_data_load(cli_data *data, bdag_context *context, const cli_source *source, bdag_type type,
                  uint32_t inputs, uint64_t targets, int want_targets) {
  uint64_t first_target = 0;
  memset(data, 0, sizeof *data);
  const int own_scale = source->scale != 0.0;
  if (load_table(&data->table, context, source->data, source, type, own_scale ? 1.0 : 0.0) !=
          CLI_OK ||
      find_targets(data, source, inputs, targets, &first_target) != CLI_OK)
    goto fail;
  data->samples.count = bdag_table_rows(data->table);
  if (data->samples.count == 0) {
    cli_fail("%s: no samples in it", shown(source->data));
    goto fail;
  }
  data->samples.x = bdag_table_array(data->table, 0);
  if (own_scale) scale_inputs(&data->samples, inputs, source->scale);
  if (source->labels != NULL) {
    if (load_labels(data, context, source, type, targets) != CLI_OK) goto fail;
  } else if (first_target != 0 && targets > 0) {
    data->samples.targets = bdag_table_array(data->table, first_target);
  } else if (want_targets && targets > 0) {
    cli_fail("%s: %u columns are the network's inputs; the %llu target column%s missing: put them "
             "behind, or give --labels",
             shown(source->data), inputs, (unsigned long long)targets,
             targets == 1 ? " is" : "s are");
    goto fail;
  }
  return CLI_OK;
fail:
  cli_data_close(data);
  return CLI_FAILED;
}

void cli_data_close(cli_data *data) {
  bdag_table_destroy(data->table);
  bdag_table_destroy(data->label_table);
  memset(data, 0, sizeof *data);
}

static void swap_rows(const bdag_array *array, uint64_t a, uint64_t b, uint64_t columns) {
  for (uint64_t j = 0; j < columns; j++) {
    const double kept = cli_array_get(array, a, j);
    cli_array_set(array, a, j, cli_array_get(array, b, j));
    cli_array_set(array, b, j, kept);
  }
}

void cli_data_shuffle(cli_data *data, uint32_t inputs, uint64_t targets, uint64_t seed) {
  cli_random random = {cli_random_mix(seed, 0x5ea1)};
  for (uint64_t i = data->samples.count; i > 1; i--) {
    const uint64_t j = cli_random_below(&random, i);
    if (j == i - 1) continue;
    swap_rows(&data->samples.x, i - 1, j, inputs);
    if (data->samples.targets.data != NULL) swap_rows(&data->samples.targets, i - 1, j, targets);
  }
}

bdag_samples cli_samples_slice(const bdag_samples *samples, uint64_t first, uint64_t count) {
  bdag_samples slice = *samples;
  slice.count = count;
  slice.x.data = element(&samples->x, first, 0);
  if (samples->targets.data != NULL) slice.targets.data = element(&samples->targets, first, 0);
  if (samples->sample_weights != NULL) slice.sample_weights = samples->sample_weights + first;
  return slice;
}
