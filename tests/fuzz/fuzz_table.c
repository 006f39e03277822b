/* Any bytes as a table, in every format: the parser must answer with a status, stay within its memory
 * and hand out only what can be read. A libFuzzer target; replay.c runs it on the stored corpus. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <backdag/backdag.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void require(int condition, const char *what) {
  if (condition) return;
  fprintf(stderr, "fuzz_table: %s\n", what);
  abort();
}

/* ---- Memory: a budget in proportion to the input ---- */

typedef union block {
  size_t size;
  char alignment[16];
} block;

static size_t budget, live;

static void *allocate(void *user, size_t size) {
  if (size > budget || live > budget - size) return NULL;
  block *const memory = malloc(sizeof *memory + size);
  if (!memory) return NULL;
  memory->size = size;
  live += size;
  return memory + 1;
}

static void release(void *user, void *memory) {
  if (!memory) return;
  block *const whole = (block *)memory - 1;
  live -= whole->size;
  free(whole);
}

static bdag_context *make_context(void) {
  static const bdag_allocator allocator = {allocate, release, NULL};
  bdag_context_options options = BDAG_CONTEXT_OPTIONS_INIT;
  options.allocator = &allocator;
  options.threads = 1;
  budget = SIZE_MAX;
  bdag_context *context = NULL;
  require(bdag_context_create(&context, &options, NULL) == BDAG_OK, "no context");
  return context;
}

/* ---- What must hold ---- */

static void check_table(const bdag_table *table) {
  const uint64_t rows = bdag_table_rows(table), columns = bdag_table_columns(table);
  require(rows > 0 && columns > 0, "an empty table");
  require(bdag_table_input_columns(table) <= columns, "more inputs than columns");
  const bdag_array array = bdag_table_array(table, 0);
  require(array.sample_stride == (ptrdiff_t)columns && array.vertex_stride == 1, "strides");
  /* Reading to the last byte lets the sanitizers see a block that is too short. */
  const size_t size = array.type == BDAG_FLOAT32 ? sizeof(float) : sizeof(double);
  unsigned char sum = 0;
  for (size_t i = 0; i < rows * columns * size; i++) sum ^= ((const unsigned char *)array.data)[i];
  for (uint64_t i = 0; i < columns; i++) {
    const char *const name = bdag_table_column_name(table, i);
    require(!name || strlen(name) <= SIZE_MAX - sum, "a name");
  }
}

static void check_failure(bdag_status status, const bdag_error *error, int is_packed) {
  require(status == BDAG_ERROR_FORMAT || status == BDAG_ERROR_UNSUPPORTED ||
              status == BDAG_ERROR_LIMIT || (status == BDAG_ERROR_OUT_OF_MEMORY && is_packed),
          "an unexpected status");
  require(error->status == status, "the report's status");
  const size_t length = strlen(error->message);
  require(length > 0 && error->message[length - 1] != '\n', "the message");
}

static void parse(bdag_context *context, const uint8_t *bytes, size_t size,
                  const bdag_table_options *options) {
  const int is_packed = size >= 2 && bytes[0] == 0x1f && bytes[1] == 0x8b;
  const size_t before = live;
  budget = before + (is_packed ? (size_t)256 << 20 : 32 * size + ((size_t)8 << 20));
  bdag_table *table = NULL;
  bdag_error error = {.status = BDAG_OK};
  const bdag_status status = bdag_table_parse(&table, context, bytes, size, options, &error);
  require((status == BDAG_OK) == (table != NULL), "a table without success or the reverse");
  if (table)
    check_table(table);
  else
    check_failure(status, &error, is_packed);
  bdag_table_destroy(table);
  require(live == before, "memory was not released");
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  static bdag_context *context;
  if (!context) context = make_context();
  static const bdag_table_options variants[] = {
      {sizeof(bdag_table_options), BDAG_DATA_AUTO, BDAG_FLOAT32, -1, 0, 0.0},
      {sizeof(bdag_table_options), BDAG_DATA_CSV, BDAG_FLOAT64, 1, ';', 0.5},
      {sizeof(bdag_table_options), BDAG_DATA_CSV, BDAG_FLOAT32, 0, ' ', 0.0},
      {sizeof(bdag_table_options), BDAG_DATA_FANN, BDAG_FLOAT64, -1, 0, 0.0},
      {sizeof(bdag_table_options), BDAG_DATA_IDX, BDAG_FLOAT64, -1, 0, 1.0},
      {sizeof(bdag_table_options), BDAG_DATA_NPY, BDAG_FLOAT64, -1, 0, 0.0}};
  for (size_t i = 0; i < sizeof variants / sizeof *variants; i++)
    parse(context, bytes, size, &variants[i]);
  return 0;
}
