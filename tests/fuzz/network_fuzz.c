/* What must hold for any bytes that are parsed as a network. */
#include "network_fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <backdag/backdag.h>

#include "io/bytes.h"

static void require(int condition, const char *what) {
  if (condition) return;
  fprintf(stderr, "fuzz_network: %s\n", what);
  abort();
}

typedef union block {
  size_t size;
  char alignment[16];
} block;

static size_t budget = SIZE_MAX, live;

static void *allocate(void *user, size_t size) {
  if (size > budget || live > budget - size) return NULL;
  block *const memory = malloc(sizeof *memory + size);
  if (memory == NULL) return NULL;
  memory->size = size;
  live += size;
  return memory + 1;
}

static void release(void *user, void *memory) {
  if (memory == NULL) return;
  block *const whole = (block *)memory - 1;
  live -= whole->size;
  free(whole);
}

static int no_activation(void *user, bdag_type type, double parameter, size_t count, const void *in,
                         void *out) {
  return 1;
}

static int no_derivative(void *user, bdag_type type, double parameter, size_t count, const void *in,
                         const void *out, void *derivative) {
  return 1;
}

static int no_loss(void *user, const bdag_loss_view *view) {
  return 1;
}

static bdag_context *make_context(void) {
  static const bdag_allocator allocator = {allocate, release, NULL};
  bdag_context_options options = BDAG_CONTEXT_OPTIONS_INIT;
  options.allocator = &allocator;
  options.threads = 1;
  bdag_context *context = NULL;
  uint32_t kind;
  require(bdag_context_create(&context, &options, NULL) == BDAG_OK, "no context");
  const bdag_activation_functions functions = {no_activation, no_derivative, NULL};
  require(bdag_context_register_activation(context, "test.double", &functions, &kind, NULL) == 0 &&
              bdag_context_register_loss(context, "test.loss", no_loss, NULL, 0, 1, &kind, NULL) ==
                  0,
          "no registered functions");
  return context;
}

static const char *path(void) {
  static char text[64];
  const char *const folder = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
  snprintf(text, sizeof text, "%s/backdag-fuzz-%ld", folder, (long)getpid());
  return text;
}

/* Equal keys cannot be told apart in JSON; that is the only reason to refuse. */
static int write_and_read(const bdag_network *network, bdag_network_format format,
                          bdag_context *context, bdag_bytes *bytes) {
  const bdag_status status = bdag_network_save(network, path(), format, NULL);
  if (status == BDAG_ERROR_INVALID_ARGUMENT && format == BDAG_NETWORK_JSON) return 0;
  require(status == BDAG_OK, "a network that was read cannot be written");
  require(bdag_bytes_read(bytes, context, path(), NULL) == BDAG_OK, "no bytes");
  unlink(path());
  return 1;
}

static void round_trip(const bdag_network *network, bdag_network_format format,
                       bdag_context *context) {
  bdag_bytes once, twice;
  bdag_error error;
  bdag_network *again;
  if (!write_and_read(network, format, context, &once)) return;
  require(bdag_network_parse(&again, context, once.data, once.size, &error) == BDAG_OK,
          "what was written cannot be read");
  require(bdag_network_parameter_count(again) == bdag_network_parameter_count(network),
          "parameters were lost");
  require(write_and_read(again, format, context, &twice), "not written twice");
  require(once.size == twice.size && memcmp(once.data, twice.data, once.size) == 0,
          "the second file is another");
  bdag_bytes_release(&once, context);
  bdag_bytes_release(&twice, context);
  bdag_network_destroy(again);
}

static void check_failure(bdag_status status, const bdag_error *error) {
  require(status == BDAG_ERROR_FORMAT || status == BDAG_ERROR_UNSUPPORTED ||
              status == BDAG_ERROR_UNKNOWN_ID || status == BDAG_ERROR_CYCLE ||
              status == BDAG_ERROR_NOT_FINITE || status == BDAG_ERROR_INVALID_ARGUMENT ||
              status == BDAG_ERROR_LIMIT,
          "an unexpected status");
  require(error->status == status, "the report's status");
  require(error->message[0] != '\0', "the message");
  for (const char *c = error->message; *c != '\0'; c++) {
    require((unsigned char)*c >= 0x20, "a control character in the message");
  }
}

void fuzz_network(const uint8_t *bytes, size_t size) {
  static bdag_context *context;
  if (context == NULL) context = make_context();
  const size_t before = live;
  bdag_network *network;
  bdag_error error = {.status = BDAG_OK};
  budget = before + 64 * size + ((size_t)8 << 20);
  const bdag_status status = bdag_network_parse(&network, context, bytes, size, &error);
  budget = SIZE_MAX;
  require((status == BDAG_OK) == (network != NULL), "a network without success or the reverse");
  if (network != NULL) {
    round_trip(network, BDAG_NETWORK_SAFETENSORS, context);
    round_trip(network, BDAG_NETWORK_JSON, context);
  } else {
    check_failure(status, &error);
  }
  bdag_network_destroy(network);
  require(live == before, "memory was not released");
}
