/* Every public header from C++: the functions link, the initialisers compile. Run without Criterion. */
#include <backdag/backdag.h>

#include <cstdio>
#include <cstring>

namespace {

int number = 0, failures = 0;

void check(bool condition, const char *what) {
  number++;
  if (!condition) failures++;
  std::printf("%sok %d - %s\n", condition ? "" : "not ", number, what);
}

} // namespace

int main() {
  bdag_context_options context_options = BDAG_CONTEXT_OPTIONS_INIT;
  bdag_plan_options plan_options = BDAG_PLAN_OPTIONS_INIT;
  bdag_engine_options engine_options = BDAG_ENGINE_OPTIONS_INIT;
  bdag_backward_options backward_options = BDAG_BACKWARD_OPTIONS_INIT;
  bdag_trainer_options trainer_options = BDAG_TRAINER_OPTIONS_INIT;
  bdag_run_options run_options = BDAG_RUN_OPTIONS_INIT;
  bdag_table_options table_options = BDAG_TABLE_OPTIONS_INIT;
  check(plan_options.size == sizeof plan_options && engine_options.size == sizeof engine_options &&
            backward_options.size == sizeof backward_options &&
            trainer_options.size == sizeof trainer_options &&
            run_options.size == sizeof run_options && table_options.size == sizeof table_options,
        "initialisers set the size");
  context_options.threads = 1;
  bdag_context *context = nullptr;
  bdag_network *network = nullptr;
  check(bdag_context_create(&context, &context_options, nullptr) == BDAG_OK, "context");
  check(bdag_network_create(&network, context, nullptr) == BDAG_OK, "network");
  check(std::strcmp(bdag_status_string(BDAG_ERROR_CYCLE), "directed cycle") == 0, "status string");
  bdag_network_destroy(network);
  bdag_context_destroy(context);
  std::printf("1..%d\n", number);
  return failures != 0;
}
