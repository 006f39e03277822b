/* Progress of a training run on the standard error: a bar with the time left on a terminal, plain
 * lines at sensible intervals elsewhere. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"

enum { KEPT_LINES = 20, BAR_WIDEST = 30, TEXT_SIZE = 160 };
static const double bar_interval = 0.1, line_interval = 10.0;

double cli_seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int has_wide_characters(void) {
  static const char *const variables[] = {"LC_ALL", "LC_CTYPE", "LANG"};
  for (size_t i = 0; i < 3; i++) {
    const char *value = getenv(variables[i]);
    if (value == NULL || value[0] == '\0') continue;
    return strstr(value, "UTF-8") != NULL || strstr(value, "utf8") != NULL;
  }
  return 0;
}

void cli_progress_begin(cli_progress *progress, int quiet, uint64_t first_epoch, uint64_t epochs) {
  const char *terminal = getenv("TERM");
  memset(progress, 0, sizeof *progress);
  progress->quiet = quiet;
  progress->terminal = isatty(STDERR_FILENO) && terminal != NULL && strcmp(terminal, "dumb") != 0;
  progress->wide_characters = has_wide_characters();
  progress->first_epoch = first_epoch;
  progress->epochs = epochs;
  progress->begin = progress->last_line = cli_seconds();
  progress->last_line_epoch = first_epoch;
}

static int terminal_width(void) {
  struct winsize size;
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 80;
}

static void format_time(char *buffer, size_t size, double seconds) {
  if (!(seconds < 360000)) {
    snprintf(buffer, size, "-:--");
    return;
  }
  const unsigned whole = (unsigned)(seconds + 0.5);
  if (whole >= 3600)
    snprintf(buffer, size, "%u:%02u:%02u", whole / 3600, whole / 60 % 60, whole % 60);
  else
    snprintf(buffer, size, "%u:%02u", whole / 60, whole % 60);
}

static void format_rate(char *buffer, size_t size, double rate) {
  if (rate >= 1e6)
    snprintf(buffer, size, "%.1f M samples/s", rate / 1e6);
  else if (rate >= 1e4)
    snprintf(buffer, size, "%.0f k samples/s", rate / 1e3);
  else
    snprintf(buffer, size, "%.0f samples/s", rate);
}

static void draw_bar(const cli_progress *progress, double share, int width) {
  const int filled = (int)(share * width + 0.5);
  for (int i = 0; i < width; i++) {
    if (progress->wide_characters)
      fputs(i < filled ? "█" : "░", stderr);
    else
      fputc(i < filled ? '#' : '.', stderr);
  }
}

static double seconds_left(const cli_progress *progress, double share, double now) {
  return share > 0 ? (now - progress->begin) * (1 - share) / share : INFINITY;
}

static void erase_bar(cli_progress *progress) {
  if (progress->bar_shown) fputs("\r\033[K", stderr);
  progress->bar_shown = 0;
}

void cli_progress_batch(cli_progress *progress, uint64_t epoch, uint64_t batch, uint64_t batches,
                        double loss, double samples_per_second) {
  if (progress->quiet) return;
  const double now = cli_seconds();
  const int bar = progress->terminal && now - progress->last_bar >= bar_interval;
  const int line = !progress->terminal && now - progress->last_line >= line_interval;
  if (!bar && !line) return;
  const double run = (double)(progress->epochs - progress->first_epoch);
  const double done = (double)(epoch - 1 - progress->first_epoch) +
                      (double)(batch < batches ? batch : batches) / (double)batches;
  const double share = run > 0 ? done / run : 1;
  char left[32], rate[48], head[64], tail[TEXT_SIZE];
  format_time(left, sizeof left, seconds_left(progress, share, now));
  format_rate(rate, sizeof rate, samples_per_second);
  snprintf(head, sizeof head, "epoch %llu/%llu", (unsigned long long)epoch,
           (unsigned long long)progress->epochs);
  if (line) {
    fprintf(stderr, "%s  batch %llu/%llu  loss %.5g  %s  ETA %s\n", head, (unsigned long long)batch,
            (unsigned long long)batches, loss, rate, left);
    progress->last_line = now;
    return;
  }
  snprintf(tail, sizeof tail, "%3.0f %%  loss %.5g  %s  ETA %s", 100 * share, loss, rate, left);
  const int room = terminal_width() - (int)(strlen(head) + strlen(tail)) - 4;
  fprintf(stderr, "\r%s ", head);
  if (room >= 5) draw_bar(progress, share, room < BAR_WIDEST ? room : BAR_WIDEST);
  fprintf(stderr, " %s\033[K", tail);
  fflush(stderr);
  progress->bar_shown = 1;
  progress->last_bar = now;
}

void cli_progress_epoch(cli_progress *progress, uint64_t epoch, double loss, double held_out_loss) {
  if (progress->quiet) return;
  const double now = cli_seconds();
  const uint64_t run = progress->epochs - progress->first_epoch;
  const uint64_t step = (run + KEPT_LINES - 1) / KEPT_LINES;
  const int due = epoch == progress->epochs || epoch == progress->first_epoch + 1 ||
                  epoch - progress->last_line_epoch >= step ||
                  now - progress->last_line >= line_interval;
  if (!due) return;
  char elapsed[32], left[32];
  const double share = (double)(epoch - progress->first_epoch) / (double)run;
  format_time(elapsed, sizeof elapsed, now - progress->begin);
  format_time(left, sizeof left, seconds_left(progress, share, now));
  erase_bar(progress);
  const int digits = snprintf(NULL, 0, "%llu", (unsigned long long)progress->epochs);
  fprintf(stderr, "epoch %*llu/%llu  loss %-10.5g", digits, (unsigned long long)epoch,
          (unsigned long long)progress->epochs, loss);
  if (!isnan(held_out_loss)) fprintf(stderr, "  held-out %-10.5g", held_out_loss);
  fprintf(stderr, "  %s", elapsed);
  if (epoch < progress->epochs) fprintf(stderr, "  ETA %s", left);
  fputc('\n', stderr);
  fflush(stderr);
  progress->last_line = now;
  progress->last_line_epoch = epoch;
}

void cli_progress_end(cli_progress *progress) {
  erase_bar(progress);
  fflush(stderr);
}
