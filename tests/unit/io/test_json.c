/* Networks as JSON: round trips, neat-python's format as others write it, and files that are wrong. */
#include <criterion/criterion.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <backdag/backdag.h>

#include "io/bytes.h"
#include "network_samples.h"

static bdag_context *context;

static void make_context(void) {
  context = sample_context();
  sample_register(context);
}

static void destroy_context(void) {
  bdag_context_destroy(context);
}

TestSuite(json, .init = make_context, .fini = destroy_context);

static bdag_network *reload(const bdag_network *network, bdag_bytes *text) {
  bdag_error error;
  const char *const path = temporary_path("network.json");
  cr_assert_eq(bdag_network_save(network, path, BDAG_NETWORK_AUTO, &error), BDAG_OK, "%s",
               error.message);
  if (text != NULL) cr_assert_eq(bdag_bytes_read(text, context, path, NULL), BDAG_OK);
  bdag_network *again;
  cr_assert_eq(bdag_network_load(&again, context, path, &error), BDAG_OK, "%s", error.message);
  unlink(path);
  return again;
}

static bdag_status parse_text(const char *text, bdag_network **network, bdag_error *error) {
  /* A copy of exact length, so that sanitizers see every byte read too far. */
  const size_t size = strlen(text);
  char *const copy = malloc(size);
  memcpy(copy, text, size);
  const bdag_status status = bdag_network_parse(network, context, copy, size, error);
  free(copy);
  return status;
}

static void expect_refused(const char *text, bdag_status status, const char *message) {
  bdag_network *network = (bdag_network *)1;
  bdag_error error = {0};
  cr_assert_eq(parse_text(text, &network, &error), status, "%s: %s", text, error.message);
  cr_assert_null(network);
  cr_assert_eq(error.status, status);
  cr_assert_not_null(strstr(error.message, message), "\"%s\" does not say \"%s\"", error.message,
                     message);
}

static void expect_round_trip(bdag_network *network, int pure) {
  bdag_bytes text;
  bdag_network *const again = reload(network, &text);
  expect_same_network(network, again);
  cr_assert_eq(memmem(text.data, text.size, "backdag\":", 9) == NULL, pure);
  bdag_bytes twice;
  bdag_network *const third = reload(again, &twice);
  cr_assert_eq(text.size, twice.size);
  cr_assert_arr_eq(text.data, twice.data, text.size);
  bdag_bytes_release(&text, context);
  bdag_bytes_release(&twice, context);
  bdag_network_destroy(third);
  bdag_network_destroy(again);
  bdag_network_destroy(network);
}

Test(json, plain_networks_need_no_extension) {
  expect_round_trip(sample_plain(context), 1);
}

Test(json, everything_comes_back) {
  expect_round_trip(sample_full(context), 0);
}

Test(json, random_networks_come_back) {
  for (uint64_t seed = 1; seed <= 60; seed++) expect_round_trip(sample_random(context, seed), 0);
}

Test(json, empty_network_comes_back) {
  bdag_network *network;
  cr_assert_eq(bdag_network_create(&network, context, NULL), BDAG_OK);
  expect_round_trip(network, 1);
}

Test(json, missing_bias_is_kept_without_parameter_lists) {
  bdag_network *const network = sample_plain(context);
  const uint32_t vertex = 2;
  const uint64_t none = BDAG_NONE;
  const double zero = 0;
  cr_assert_eq(bdag_network_set_biases(network, 1, &vertex, &zero, NULL), BDAG_OK);
  cr_assert_eq(bdag_network_set_bias_parameters(network, 1, &vertex, &none, NULL), BDAG_OK);
  bdag_bytes text;
  bdag_network *const again = reload(network, &text);
  expect_same_network(network, again);
  cr_assert_not_null(memmem(text.data, text.size, "no_bias", 7));
  cr_assert_null(memmem(text.data, text.size, "parameters", 10));
  bdag_bytes_release(&text, context);
  bdag_network_destroy(again);
  bdag_network_destroy(network);
}

Test(json, unused_parameters_are_kept) {
  bdag_network *const network = sample_plain(context);
  cr_assert_eq(bdag_network_add_parameters(network, 3, NULL, NULL, NULL), BDAG_OK);
  expect_round_trip(network, 0);
}

Test(json, removed_vertices_and_edges_are_left_out) {
  bdag_network *const network = sample_edited(context);
  bdag_network *const again = reload(network, NULL);
  /* 12 vertices and 13 edges, of which 3 and 6 are gone. */
  cr_assert_eq(bdag_network_vertex_count(again), 9);
  cr_assert_eq(bdag_network_edge_count(again), 7);
  cr_assert_eq(bdag_network_parameter_count(again), bdag_network_parameter_count(network));
  bdag_vertex before, after;
  cr_assert_eq(bdag_network_get_vertex(network, 11, &before), BDAG_OK);
  cr_assert_eq(bdag_network_get_vertex(again, 8, &after), BDAG_OK);
  cr_assert_eq(after.key, 11);
  cr_assert_eq(before.bias_parameter, after.bias_parameter);
  uint64_t parameter[2];
  cr_assert_eq(bdag_network_get_edges(network, 8, 1, NULL, NULL, &parameter[0], NULL, NULL), 0);
  cr_assert_eq(bdag_network_get_edges(again, 6, 1, NULL, NULL, &parameter[1], NULL, NULL), 0);
  cr_assert_eq(parameter[0], parameter[1]);
  bdag_network_destroy(again);
  bdag_network_destroy(network);
}

Test(json, equal_keys_cannot_be_saved) {
  bdag_network *const network = sample_plain(context);
  const uint32_t vertex = 3;
  const int64_t key = -2;
  bdag_error error;
  cr_assert_eq(bdag_network_set_keys(network, 1, &vertex, &key, NULL), BDAG_OK);
  const char *const path = temporary_path("equal.json");
  cr_assert_eq(bdag_network_save(network, path, BDAG_NETWORK_AUTO, &error),
               BDAG_ERROR_INVALID_ARGUMENT);
  cr_assert_not_null(strstr(error.message, "vertices 1 and 3"));
  cr_assert_neq(access(path, F_OK), 0);
  bdag_network_destroy(network);
}

Test(json, unknown_extension_names_no_format) {
  bdag_network *const network = sample_plain(context);
  bdag_error error;
  cr_assert_eq(bdag_network_save(network, temporary_path("network.txt"), BDAG_NETWORK_AUTO, &error),
               BDAG_ERROR_INVALID_ARGUMENT);
  cr_assert_eq(bdag_network_save(network, "/nonexistent/a.json", BDAG_NETWORK_AUTO, &error),
               BDAG_ERROR_IO);
  cr_assert_eq(bdag_network_save(network, "a.json", (bdag_network_format)9, &error),
               BDAG_ERROR_INVALID_ARGUMENT);
  bdag_network_destroy(network);
}

Test(json, locale_does_not_matter) {
  /* Any locale with a decimal comma; without one the test checks nothing new. */
  static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "nl_NL.UTF-8"};
  for (size_t i = 0; i < 4 && setlocale(LC_ALL, names[i]) == NULL; i++) {
  }
  expect_round_trip(sample_plain(context), 1);
  expect_round_trip(sample_full(context), 0);
}

#define NODE(id, type, activation, aggregation, bias, response)                                    \
  "{\"id\": " id ", \"type\": \"" type "\", \"activation\": {\"name\": \"" activation              \
  "\", \"custom\": false}, \"aggregation\": {\"name\": \"" aggregation                             \
  "\", \"custom\": false}, \"bias\": " bias ", \"response\": " response "}"
#define INPUT(id) NODE(id, "input", "identity", "none", "0.0", "1.0")
#define EDGE(from, to, weight)                                                                     \
  "{\"from\": " from ", \"to\": " to ", \"weight\": " weight ", \"enabled\": true}"
#define HEAD(type)                                                                                 \
  "{\"format_version\": \"1.0\", \"network_type\": \"" type "\", \"metadata\": {}, "
#define TOPOLOGY(inputs, outputs)                                                                  \
  "\"topology\": {\"num_inputs\": 2, \"num_outputs\": 1, \"input_keys\": " inputs                  \
  ", \"output_keys\": " outputs "}, "
#define FILE_OF(nodes, edges)                                                                      \
  HEAD("feedforward")                                                                              \
  TOPOLOGY("[-1, -2]", "[0]") "\"nodes\": [" nodes "], \"connections\": [" edges "]}"
#define EXTENDED(extension)                                                                        \
  HEAD("feedforward")                                                                              \
  TOPOLOGY("[-1, -2]", "[0]")                                                                      \
  "\"nodes\": [" INPUT("-1") ", " INPUT("-2") ", " OUTPUT "], \"connections\": [" EDGE(            \
      "-1", "0", "0.5") "], \"backdag\": " extension "}"
#define OUTPUT NODE("0", "output", "sigmoid", "sum", "-0.5", "1.0")
#define HIDDEN NODE("5", "hidden", "gauss", "mean", "3", "0.25")

Test(json, genome_as_neat_python_writes_it) {
  /* Inputs at the end, in another order than input_keys. */
  static const char text[] =
      FILE_OF(HIDDEN ", " OUTPUT ", " INPUT("-2") ", " INPUT("-1"),
              EDGE("-2", "5", "0.1") ", " EDGE("5", "0", "-2") ", " EDGE("-1", "0", "1e-3"));
  bdag_network *network;
  bdag_error error;
  cr_assert_eq(parse_text(text, &network, &error), BDAG_OK, "%s", error.message);
  cr_assert_eq(bdag_network_vertex_count(network), 4);
  cr_assert_eq(bdag_network_input_count(network), 2);
  bdag_vertex first, hidden, output;
  bdag_network_get_vertex(network, bdag_network_inputs(network)[0], &first);
  cr_assert_eq(first.key, -1);
  bdag_network_get_vertex(network, 0, &hidden);
  cr_assert_eq(hidden.key, 5);
  cr_assert_eq(hidden.activation.kind, BDAG_NEAT_GAUSS);
  cr_assert_eq(hidden.aggregation, BDAG_MEAN);
  cr_assert_eq(hidden.bias, 3);
  cr_assert_eq(hidden.response, 0.25);
  cr_assert_eq(bdag_network_output_count(network), 1);
  bdag_network_get_vertex(network, bdag_network_outputs(network)[0].vertex, &output);
  cr_assert_eq(output.key, 0);
  cr_assert_eq(output.bias, -0.5);
  uint32_t sources[3], targets[3];
  double weights[3];
  bdag_network_get_edges(network, 0, 3, sources, targets, NULL, weights, NULL);
  cr_assert_eq(sources[0], bdag_network_inputs(network)[1]);
  cr_assert_eq(targets[0], 0);
  cr_assert_eq(weights[0], 0.1);
  cr_assert_eq(weights[2], 1e-3);
  cr_assert_eq(bdag_network_loss_count(network), 0);
  bdag_network_destroy(network);
}

Test(json, all_activations_of_neat_python) {
  static const char *const names[] = {"sigmoid", "tanh", "sin",      "gauss",    "relu",    "elu",
                                      "lelu",    "selu", "softplus", "identity", "clamped", "inv",
                                      "log",     "exp",  "abs",      "hat",      "square",  "cube"};
  for (uint32_t k = 0; k < 18; k++) {
    char text[2000];
    snprintf(text, sizeof text,
             HEAD("feedforward") "\"topology\": {\"num_inputs\": 0, \"num_outputs\": 1, "
                                 "\"input_keys\": [], \"output_keys\": [0]}, \"nodes\": [{\"id\": "
                                 "0, \"type\": \"output\", "
                                 "\"activation\": \"%s\", \"aggregation\": \"sum\", \"bias\": 1, "
                                 "\"response\": 1}], "
                                 "\"connections\": []}",
             names[k]);
    bdag_network *network;
    bdag_error error;
    bdag_vertex vertex;
    cr_assert_eq(parse_text(text, &network, &error), BDAG_OK, "%s", error.message);
    bdag_network_get_vertex(network, 0, &vertex);
    cr_assert_eq(vertex.activation.kind, BDAG_NEAT_SIGMOID + k);
    expect_round_trip(network, 1);
  }
}

Test(json, output_that_nothing_reaches_has_no_node) {
  static const char text[] = HEAD(
      "feedforward") "\"topology\": {\"num_inputs\": 1, \"num_outputs\": 4, \"input_keys\": [-1], "
                     "\"output_keys\": [8, 0, 3, 8]}, \"nodes\": [" INPUT(
                         "-1") ", " OUTPUT "], \"connections\": [" EDGE("-1", "0", "1") "]}";
  bdag_network *network;
  bdag_error error;
  bdag_vertex vertex;
  cr_assert_eq(parse_text(text, &network, &error), BDAG_OK, "%s", error.message);
  cr_assert_eq(bdag_network_vertex_count(network), 4);
  cr_assert_eq(bdag_network_output_count(network), 4);
  const bdag_output *const outputs = bdag_network_outputs(network);
  cr_assert_eq(outputs[0].vertex, outputs[3].vertex);
  bdag_network_get_vertex(network, outputs[0].vertex, &vertex);
  cr_assert_eq(vertex.key, 8);
  cr_assert_eq(vertex.activation.kind, BDAG_NEAT_IDENTITY);
  expect_round_trip(network, 1);
}

Test(json, byte_order_mark_and_space_are_skipped) {
  static const char text[] =
      "\xEF\xBB\xBF \n\t" FILE_OF(INPUT("-1") ", " INPUT("-2") ", " OUTPUT, "");
  bdag_network *network;
  cr_assert_eq(parse_text(text, &network, NULL), BDAG_OK);
  bdag_network_destroy(network);
}

Test(json, syntax_errors_tell_the_line) {
  bdag_network *network;
  bdag_error error;
  cr_assert_eq(parse_text("{\n\n  \"format_version\": \"1.0\",\n  oops}", &network, &error),
               BDAG_ERROR_FORMAT);
  cr_assert_eq(error.line, 4);
  cr_assert_neq(error.offset, UINT64_MAX);
  const char *const path = temporary_path("broken.json");
  FILE *const file = fopen(path, "w");
  fputs("{\n\"a\": NaN}", file);
  fclose(file);
  cr_assert_eq(bdag_network_load(&network, context, path, &error), BDAG_ERROR_FORMAT);
  cr_assert_eq(error.line, 2);
  cr_assert_str_eq(error.file, path);
  unlink(path);
  cr_assert_eq(bdag_network_load(&network, context, path, &error), BDAG_ERROR_IO);
}

Test(json, semantic_errors_name_the_file_too) {
  bdag_network *network;
  bdag_error error;
  const char *const path = temporary_path("wrong.json");
  FILE *const file = fopen(path, "w");
  fputs("{}", file);
  fclose(file);
  cr_assert_eq(bdag_network_load(&network, context, path, &error), BDAG_ERROR_FORMAT);
  cr_assert_str_eq(error.file, path);
  cr_assert_str_eq(error.message, "format_version: is missing");
  unlink(path);
}

Test(json, deep_nesting_is_refused) {
  char *const text = malloc(200001);
  memset(text, '[', 200000);
  memcpy(text, "{\"a\":", 5);
  text[200000] = '\0';
  expect_refused(text, BDAG_ERROR_FORMAT, "not valid JSON");
  free(text);
}

#define GOOD_NODES INPUT("-1") ", " INPUT("-2") ", " OUTPUT

Test(json, wrong_headers) {
  expect_refused("", BDAG_ERROR_FORMAT, "empty");
  expect_refused("[1]", BDAG_ERROR_FORMAT, "neither JSON nor safetensors");
  expect_refused("{}", BDAG_ERROR_FORMAT, "format_version: is missing");
  expect_refused("{\"format_version\": 1}", BDAG_ERROR_FORMAT,
                 "format_version: must be a string, not an integer");
  expect_refused("{\"format_version\": \"2.0\", \"network_type\": \"feedforward\"}",
                 BDAG_ERROR_UNSUPPORTED, "\"2.0\"");
  expect_refused(HEAD("recurrent") "\"a\": 1}", BDAG_ERROR_UNSUPPORTED, "\"recurrent\"");
  expect_refused(HEAD("ctrnn") "\"a\": 1}", BDAG_ERROR_UNSUPPORTED, "\"ctrnn\"");
  expect_refused(HEAD("iznn") "\"a\": 1}", BDAG_ERROR_UNSUPPORTED, "\"iznn\"");
  expect_refused(HEAD("x\\u001b[31m") "\"a\": 1}", BDAG_ERROR_FORMAT, "x?[31m");
  expect_refused(HEAD("feedforward") "\"a\": 1}", BDAG_ERROR_FORMAT, "topology: is missing");
  expect_refused("{\"a\": 1, \"a\": 1}", BDAG_ERROR_FORMAT, "duplicate");
}

Test(json, wrong_topologies) {
  const char *const tail = "\"nodes\": [" GOOD_NODES "], \"connections\": []}";
  static const struct {
    const char *topology, *message;
  } cases[] = {
      {"{}", "topology.input_keys: is missing"},
      {"{\"num_inputs\": 3, \"num_outputs\": 1, \"input_keys\": [-1, -2], \"output_keys\": [0]}",
       "topology.num_inputs: is 3, but input_keys has 2 elements"},
      {"{\"num_inputs\": 2, \"num_outputs\": 1, \"input_keys\": [-1, -1], \"output_keys\": [0]}",
       "topology.input_keys[1]: -1 is listed a second time"},
      {"{\"num_inputs\": 1, \"num_outputs\": 1, \"input_keys\": [-1], \"output_keys\": [0]}",
       "nodes[1].type: is \"input\", but topology.input_keys does not list -2"},
      {"{\"num_inputs\": 3, \"num_outputs\": 1, \"input_keys\": [-1, -2, -3], \"output_keys\": "
       "[0]}",
       "topology.input_keys[2]: no node -3"},
      {"{\"num_inputs\": 2, \"num_outputs\": 1, \"input_keys\": [-1, 0], \"output_keys\": [0]}",
       "topology.input_keys[1]: node 0 is not of type"},
      {"{\"num_inputs\": 2, \"num_outputs\": 0, \"input_keys\": [-1, -2], \"output_keys\": []}",
       "nodes[2].type: is \"output\", but topology.output_keys does not list 0"},
      {"{\"num_inputs\": 2, \"num_outputs\": 1, \"input_keys\": [-1, -2], \"output_keys\": "
       "[\"0\"]}",
       "topology.output_keys[0]: must be the id of a node, not a string"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    char text[4000];
    snprintf(text, sizeof text, "%s\"topology\": %s, %s", HEAD("feedforward"), cases[i].topology,
             tail);
    expect_refused(text, BDAG_ERROR_FORMAT, cases[i].message);
  }
}

Test(json, wrong_nodes) {
  expect_refused(FILE_OF(GOOD_NODES ", 3", ""), BDAG_ERROR_FORMAT,
                 "nodes[3]: must be an object, not an integer");
  expect_refused(FILE_OF(GOOD_NODES ", " OUTPUT, ""), BDAG_ERROR_FORMAT,
                 "nodes[3].id: 0 is already the id of nodes[2]");
  expect_refused(FILE_OF(GOOD_NODES ", {\"id\": 1.5}", ""), BDAG_ERROR_FORMAT,
                 "nodes[3].id: must be an integer");
  expect_refused(FILE_OF(GOOD_NODES ", {\"id\": 99999999999999999999}", ""), BDAG_ERROR_FORMAT,
                 "too big integer");
  expect_refused(FILE_OF(GOOD_NODES ", {\"id\": 1}", ""), BDAG_ERROR_FORMAT,
                 "nodes[3].type: is missing");
  expect_refused(FILE_OF(GOOD_NODES ", " NODE("5", "other", "tanh", "sum", "0", "1"), ""),
                 BDAG_ERROR_FORMAT, "nodes[3].type: must be");
  expect_refused(FILE_OF(GOOD_NODES ", " NODE("5", "hidden", "swish", "sum", "0", "1"), ""),
                 BDAG_ERROR_UNSUPPORTED, "nodes[3].activation: \"swish\"");
  expect_refused(FILE_OF(GOOD_NODES ", " NODE("5", "hidden", "tanh", "product", "0", "1"), ""),
                 BDAG_ERROR_UNSUPPORTED, "nodes[3].aggregation: \"product\"");
  expect_refused(FILE_OF(GOOD_NODES ", " NODE("5", "hidden", "tanh", "sum", "\"0\"", "1"), ""),
                 BDAG_ERROR_FORMAT, "nodes[3].bias: must be a number, not a string");
  expect_refused(FILE_OF(GOOD_NODES ", " NODE("5", "hidden", "tanh", "sum", "1e999", "1"), ""),
                 BDAG_ERROR_FORMAT, "overflow");
  expect_refused(FILE_OF(GOOD_NODES
                         ", {\"id\": 5, \"type\": \"hidden\", \"activation\": {\"name\": "
                         "\"mine\", \"custom\": true}}",
                         ""),
                 BDAG_ERROR_UNKNOWN_ID, "nodes[3].activation: the custom function \"mine\"");
  /* Without an extension a custom "relu" is the user's, not ours. */
  expect_refused(FILE_OF(GOOD_NODES
                         ", {\"id\": 5, \"type\": \"hidden\", \"activation\": {\"name\": "
                         "\"relu\", \"custom\": true}}",
                         ""),
                 BDAG_ERROR_UNKNOWN_ID, "\"relu\"");
  expect_refused(FILE_OF(GOOD_NODES
                         ", {\"id\": 5, \"type\": \"hidden\", \"activation\": {\"name\": "
                         "\"relu\", \"custom\": 0}}",
                         ""),
                 BDAG_ERROR_FORMAT, "nodes[3].activation.custom: must be true or false");
  expect_refused(FILE_OF(GOOD_NODES ", {\"id\": 5, \"type\": \"hidden\", \"activation\": {}}", ""),
                 BDAG_ERROR_FORMAT, "nodes[3].activation.name: is missing");
}

Test(json, wrong_connections) {
  expect_refused(FILE_OF(GOOD_NODES, EDGE("-1", "0", "1") ", " EDGE("5", "0", "1")),
                 BDAG_ERROR_FORMAT, "connections[1].from: no node 5");
  expect_refused(FILE_OF(GOOD_NODES, EDGE("-1", "7", "1")), BDAG_ERROR_FORMAT,
                 "connections[0].to: no node 7");
  expect_refused(FILE_OF(GOOD_NODES, EDGE("0", "-1", "1")), BDAG_ERROR_FORMAT,
                 "connections[0].to: node -1 is an input");
  expect_refused(FILE_OF(GOOD_NODES, EDGE("0", "0", "1")), BDAG_ERROR_CYCLE,
                 "connections[0].to: node 0 is connected to itself");
  expect_refused(FILE_OF(GOOD_NODES, EDGE("-1", "0", "null")), BDAG_ERROR_FORMAT,
                 "connections[0].weight: must be a number, not null");
  expect_refused(FILE_OF(GOOD_NODES, "{\"from\": -1, \"to\": 0, \"weight\": 1}"), BDAG_ERROR_FORMAT,
                 "connections[0].enabled: is missing");
  expect_refused(FILE_OF(GOOD_NODES, "[]"), BDAG_ERROR_FORMAT,
                 "connections[0]: must be an object, not a list");
  expect_refused(HEAD("feedforward") TOPOLOGY("[-1, -2]", "[0]") "\"nodes\": [" GOOD_NODES "]}",
                 BDAG_ERROR_FORMAT, "connections: is missing");
}

#define READER "\"minimum_reader\": 1, "

Test(json, wrong_extensions) {
  expect_refused(EXTENDED("[]"), BDAG_ERROR_FORMAT, "backdag: must be an object");
  expect_refused(EXTENDED("{}"), BDAG_ERROR_FORMAT, "backdag.minimum_reader: is missing");
  expect_refused(EXTENDED("{\"minimum_reader\": 2}"), BDAG_ERROR_UNSUPPORTED, "version 2");
  expect_refused(EXTENDED("{" READER "\"constants\": [-1]}"), BDAG_ERROR_FORMAT,
                 "backdag.constants[0]: node -1 is an input");
  expect_refused(EXTENDED("{" READER "\"constants\": [0]}"), BDAG_ERROR_FORMAT,
                 "connections[0].to: node 0 is an input or a constant");
  expect_refused(EXTENDED("{" READER "\"no_bias\": [0]}"), BDAG_ERROR_FORMAT, "bias is not 0");
  expect_refused(EXTENDED("{" READER "\"outputs\": []}"), BDAG_ERROR_FORMAT,
                 "backdag.outputs: has 0 elements");
  expect_refused(EXTENDED("{" READER "\"outputs\": [{\"read_out\": \"max\"}]}"), BDAG_ERROR_FORMAT,
                 "backdag.outputs[0]");
  expect_refused(EXTENDED("{" READER "\"outputs\": [3]}"), BDAG_ERROR_FORMAT,
                 "backdag.outputs[0].read_out: is missing");
  expect_refused(EXTENDED("{" READER "\"normalization\": \"two\"}"), BDAG_ERROR_FORMAT,
                 "backdag.normalization");
}

Test(json, wrong_losses) {
  expect_refused(EXTENDED("{" READER "\"losses\": 1}"), BDAG_ERROR_FORMAT,
                 "backdag.losses: must be a list");
  expect_refused(
      EXTENDED("{" READER "\"losses\": [{\"kind\": \"mine\", \"weight\": 1, \"vertices\": [0]}]}"),
      BDAG_ERROR_UNKNOWN_ID, "\"mine\"");
  expect_refused(
      EXTENDED("{" READER "\"losses\": [{\"kind\": \"mse\", \"weight\": 1, \"vertices\": [4]}]}"),
      BDAG_ERROR_FORMAT, "backdag.losses[0].vertices[0]: no node 4");
  expect_refused(
      EXTENDED("{" READER "\"losses\": [{\"kind\": \"mse\", \"weight\": 1, \"vertices\": []}]}"),
      BDAG_ERROR_INVALID_ARGUMENT, "");
}

#define PARAMETERS(values, biases, weights)                                                        \
  EXTENDED("{" READER "\"parameters\": {\"values\": " values ", \"biases\": " biases               \
           ", \"weights\": " weights "}}")

Test(json, wrong_parameters) {
  expect_refused(PARAMETERS("[]", "[]", "[]"), BDAG_ERROR_FORMAT,
                 "values: has 0 elements, fewer than the 1 neurons");
  expect_refused(PARAMETERS("[-0.5, 0.5]", "[null, 0]", "[1]"), BDAG_ERROR_FORMAT,
                 "biases: has 2 elements, but there are 3 nodes");
  expect_refused(PARAMETERS("[-0.5, 0.5]", "[null, null, 2]", "[1]"), BDAG_ERROR_FORMAT,
                 "backdag.parameters.biases[2]: must be a parameter, 0 to 1");
  expect_refused(PARAMETERS("[-0.5, 0.5]", "[null, null, 1]", "[1]"), BDAG_ERROR_FORMAT,
                 "backdag.parameters.biases[2]: the weight or bias differs");
  expect_refused(PARAMETERS("[-0.5, 0.5]", "[null, null, 0]", "[0]"), BDAG_ERROR_FORMAT,
                 "backdag.parameters.weights[0]: the weight or bias differs");
  expect_refused(PARAMETERS("[-0.5, 0.5]", "[null, null, 0]", "[-1]"), BDAG_ERROR_FORMAT,
                 "backdag.parameters.weights[0]: must be a parameter");
  expect_refused(PARAMETERS("[-0.5, \"a\"]", "[null, null, 0]", "[1]"), BDAG_ERROR_FORMAT,
                 "backdag.parameters.values[1]: must be a number");
  bdag_network *network;
  cr_assert_eq(parse_text(PARAMETERS("[-0.5, 0.5]", "[null, null, 0]", "[1]"), &network, NULL),
               BDAG_OK);
  bdag_network_destroy(network);
}

Test(json, every_truncation_is_refused) {
  bdag_network *const network = sample_full(context);
  bdag_bytes text;
  bdag_network_destroy(reload(network, &text));
  bdag_network_destroy(network);
  /* The last byte is a newline. */
  for (size_t size = 0; size + 1 < text.size; size++) {
    char *const part = malloc(size > 0 ? size : 1);
    memcpy(part, text.data, size);
    bdag_error error;
    cr_assert_eq(bdag_network_parse(&(bdag_network *){0}, context, part, size, &error),
                 BDAG_ERROR_FORMAT, "%zu bytes of %zu: %s", size, text.size, error.message);
    free(part);
  }
  bdag_bytes_release(&text, context);
}

Test(json, damaged_files_never_crash) {
  bdag_network *const network = sample_full(context);
  bdag_bytes text;
  bdag_network_destroy(reload(network, &text));
  bdag_network_destroy(network);
  int accepted = 0, refused = 0;
  for (size_t i = 0; i < text.size; i++) {
    for (int bit = 0; bit < 8; bit++) {
      bdag_network *damaged;
      text.data[i] ^= (unsigned char)(1 << bit);
      const bdag_status status = bdag_network_parse(&damaged, context, text.data, text.size, NULL);
      text.data[i] ^= (unsigned char)(1 << bit);
      cr_assert_eq(status == BDAG_OK, damaged != NULL);
      accepted += status == BDAG_OK;
      refused += status != BDAG_OK;
      bdag_network_destroy(damaged);
    }
  }
  cr_assert_gt(refused, accepted);
  bdag_bytes_release(&text, context);
}
