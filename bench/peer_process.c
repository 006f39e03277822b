/* Starting, asking and stopping a peer. */
#include "peer_process.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench_build.h"

enum { PATIENCE_MS = 60000 };

/* The program's path in `path`; 0 if it is nowhere. */
static int find_program(const char *program, char *path, size_t size) {
  char self[512];
  const ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
  self[length > 0 ? length : 0] = '\0';
  char *slash = strrchr(self, '/');
  if (slash != NULL) *slash = '\0';
  const char *chosen = getenv("BACKDAG_BENCH_PEERS");
  if (chosen != NULL) {
    snprintf(path, size, "%s/%s", chosen, program);
    return access(path, X_OK) == 0;
  }
  snprintf(path, size, "%s/peers/%s", self, program);
  if (access(path, X_OK) == 0) return 1;
  snprintf(path, size, "%s/%s", BENCH_PEERS_FOLDER, program);
  return access(path, X_OK) == 0;
}

int bench_peer_is_here(const char *program) {
  char path[640];
  return find_program(program, path, sizeof path);
}

static void set_number(const char *name, uint32_t value) {
  char text[16];
  snprintf(text, sizeof text, "%u", value);
  setenv(name, text, 1);
}

/* The environment may preset processors that this one is not; only what is set here counts. */
static void set_environment(uint32_t threads) {
  static const char *const cleared[] = {
      "NVPL_BLAS_DEBUG_CPU_TYPE", "OPENBLAS_CORETYPE", "GOTO_NUM_THREADS",
      "MKL_DEBUG_CPU_TYPE",       "OMP_PROC_BIND",     "OMP_PLACES",
      "OMP_WAIT_POLICY",          "OMP_SCHEDULE"};
  for (size_t i = 0; i < sizeof cleared / sizeof *cleared; i++) unsetenv(cleared[i]);
#if defined(__x86_64__)
  /* Debian's OpenBLAS does not know recent processors by themselves. */
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw"))
    setenv("OPENBLAS_CORETYPE", "SkylakeX", 1);
#endif
  set_number("OPENBLAS_NUM_THREADS", threads);
  set_number("OMP_NUM_THREADS", threads);
}

/* The first `threads` processors that are allowed. */
static void restrict_processors(uint32_t threads) {
  cpu_set_t allowed, chosen;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
  CPU_ZERO(&chosen);
  for (int p = 0; p < CPU_SETSIZE && threads > 0; p++)
    if (CPU_ISSET(p, &allowed)) {
      CPU_SET(p, &chosen);
      threads--;
    }
  sched_setaffinity(0, sizeof chosen, &chosen);
}

__attribute__((noreturn)) static void become_peer(const char *path, const char *argument,
                                                  const bench_problem *problem, int input,
                                                  int output, uint32_t threads, int pin) {
  /* Copies above 4 first, so that no descriptor is overwritten before it is used. */
  const int moved[4] = {fcntl(input, F_DUPFD, 10), fcntl(output, F_DUPFD, 10),
                        fcntl(problem->problem_fd, F_DUPFD, 10),
                        fcntl(problem->result_fd, F_DUPFD, 10)};
  const int wanted[4] = {STDIN_FILENO, STDOUT_FILENO, PEER_PROBLEM_FD, PEER_RESULT_FD};
  for (int i = 0; i < 4; i++) {
    if (moved[i] < 0 || dup2(moved[i], wanted[i]) < 0) _exit(126);
    close(moved[i]);
  }
  /* It does not outlive the bench. */
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  set_environment(threads);
  if (pin) restrict_processors(threads);
  execl(path, path, argument, (char *)NULL);
  _exit(127);
}

/* A line without its end, within the time allowed; 0 if none came. */
static int read_answer(bench_peer *peer, char *line, size_t size) {
  for (;;) {
    char *end = memchr(peer->buffered, '\n', peer->buffered_count);
    if (end != NULL) {
      const size_t length = (size_t)(end - peer->buffered);
      snprintf(line, size, "%.*s", (int)length, peer->buffered);
      peer->buffered_count -= length + 1;
      memmove(peer->buffered, end + 1, peer->buffered_count);
      return 1;
    }
    if (peer->buffered_count == sizeof peer->buffered) peer->buffered_count = 0;
    struct pollfd waiting = {peer->from, POLLIN, 0};
    const int ready = poll(&waiting, 1, PATIENCE_MS);
    if (ready < 0 && errno == EINTR) continue;
    const ssize_t count = ready > 0 ? read(peer->from, peer->buffered + peer->buffered_count,
                                           sizeof peer->buffered - peer->buffered_count)
                                    : 0;
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      snprintf(peer->description, sizeof peer->description, "%s",
               ready == 0 ? "no answer in time" : "the process ended");
      return 0;
    }
    peer->buffered_count += (size_t)count;
  }
}

static int ask(bench_peer *peer, char *answer, size_t size, const char *format, const char *phase,
               uint64_t count) {
  char line[96];
  const int length = snprintf(line, sizeof line, format, phase, (unsigned long long)count);
  if (peer->process <= 0 || write(peer->to, line, (size_t)length) != length) return 0;
  return read_answer(peer, answer, size);
}

int bench_peer_start(bench_peer *peer, const char *name, const char *program, const char *argument,
                     const bench_problem *problem, uint32_t threads, int pin) {
  char path[640], line[200];
  int to[2] = {-1, -1}, from[2] = {-1, -1};
  memset(peer, 0, sizeof *peer);
  peer->name = name;
  peer->to = peer->from = -1;
  snprintf(peer->description, sizeof peer->description, "not built or not installed");
  if (!find_program(program, path, sizeof path)) return 0;
  signal(SIGPIPE, SIG_IGN);
  if (pipe2(to, O_CLOEXEC) != 0 || pipe2(from, O_CLOEXEC) != 0) bench_die("no pipes left");
  peer->process = fork();
  if (peer->process == 0) become_peer(path, argument, problem, to[0], from[1], threads, pin);
  close(to[0]);
  close(from[1]);
  peer->to = to[1];
  peer->from = from[0];
  if (peer->process < 0 || !read_answer(peer, line, sizeof line)) {
    bench_peer_stop(peer);
    return 0;
  }
  const int ready = strncmp(line, "ready", 5) == 0;
  snprintf(peer->description, sizeof peer->description, "%s",
           ready                          ? line + 5 + (line[5] == ' ')
           : strncmp(line, "no ", 3) == 0 ? line + 3
                                          : line);
  if (!ready) bench_peer_stop(peer);
  return ready;
}

void bench_peer_stop(bench_peer *peer) {
  if (peer->to >= 0) close(peer->to);
  if (peer->from >= 0) close(peer->from);
  peer->to = peer->from = -1;
  if (peer->process <= 0) return;
  /* It ends by itself at the end of its input; one that hangs is ended. */
  for (int i = 0; i < 50; i++) {
    if (waitpid(peer->process, NULL, WNOHANG) != 0) {
      peer->process = 0;
      return;
    }
    usleep(20000);
  }
  kill(peer->process, SIGKILL);
  waitpid(peer->process, NULL, 0);
  peer->process = 0;
}

int bench_peer_check(bench_peer *peer, const char *phase) {
  char line[200];
  if (!ask(peer, line, sizeof line, "check %s\n", phase, 0)) return 0;
  if (strcmp(line, "ok") == 0) return 1;
  snprintf(peer->description, sizeof peer->description, "%s",
           strncmp(line, "no ", 3) == 0 ? line + 3 : line);
  return 0;
}

double bench_peer_run(bench_peer *peer, const char *phase, uint64_t count) {
  char line[200];
  double seconds;
  if (!ask(peer, line, sizeof line, "run %s %llu\n", phase, count)) return NAN;
  return sscanf(line, "ok %lf", &seconds) == 1 ? seconds : NAN;
}
