/* Processor, caches, limits, compiler, OpenMP runtime: read from the system, written as JSON. */
#include "machine.h"

#include <hwloc.h>
#include <link.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include <backdag/backdag.h>

#include "bench_base.h"
#include "bench_build.h"

extern char **environ;

/* First line of a file, or the rest of the line that begins with `prefix`; "" if there is none. */
static void read_line(const char *path, const char *prefix, char *text, size_t size) {
  text[0] = '\0';
  FILE *file = fopen(path, "re");
  if (file == NULL) return;
  char line[1024];
  while (fgets(line, sizeof line, file) != NULL) {
    if (strncmp(line, prefix, strlen(prefix)) != 0) continue;
    const char *begin = line + strlen(prefix);
    begin += strspn(begin, " \t:");
    snprintf(text, size, "%.*s", (int)strcspn(begin, "\n"), begin);
    break;
  }
  fclose(file);
}

/* Quota of one control group folder in processors, 0: none. Both versions of cgroups. */
static double folder_quota(const char *folder) {
  char path[600], text[128];
  double quota = 0.0, period = 0.0;
  snprintf(path, sizeof path, "%s/cpu.max", folder);
  read_line(path, "", text, sizeof text);
  if (text[0] != '\0') return sscanf(text, "%lf %lf", &quota, &period) == 2 ? quota / period : 0.0;
  snprintf(path, sizeof path, "%s/cpu.cfs_quota_us", folder);
  read_line(path, "", text, sizeof text);
  quota = strtod(text, NULL);
  snprintf(path, sizeof path, "%s/cpu.cfs_period_us", folder);
  read_line(path, "", text, sizeof text);
  period = strtod(text, NULL);
  return quota > 0.0 && period > 0.0 ? quota / period : 0.0;
}

/* The tightest quota from this process's group up to the root. */
static double cgroup_quota(void) {
  char group[400], folder[512];
  double tightest = 0.0;
  read_line("/proc/self/cgroup", "0::", group, sizeof group);
  for (;;) {
    const char *const roots[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/cpu"};
    for (int i = 0; i < 3; i++) {
      snprintf(folder, sizeof folder, "%s%s", roots[i], strcmp(group, "/") == 0 ? "" : group);
      const double quota = folder_quota(folder);
      if (quota > 0.0 && (tightest == 0.0 || quota < tightest)) tightest = quota;
    }
    char *slash = strrchr(group, '/');
    if (slash == NULL) return tightest;
    *slash = '\0';
  }
}

static size_t cache_size(hwloc_topology_t topology, hwloc_obj_type_t type) {
  const hwloc_obj_t cache = hwloc_get_obj_by_type(topology, type, 0);
  return cache != NULL ? (size_t)cache->attr->cache.size : 0;
}

/* "Package x1, L3 480 MiB x1, L2 2 MiB x2, …": one kind of object a part. */
static json_t *tree_line(hwloc_topology_t topology) {
  char line[512] = "";
  size_t used = 0;
  const int depth = hwloc_topology_get_depth(topology);
  for (int d = 0; d < depth && used < sizeof line - 64; d++) {
    const hwloc_obj_t object = hwloc_get_obj_by_depth(topology, d, 0);
    char type[32], attribute[32] = "";
    hwloc_obj_type_snprintf(type, sizeof type, object, 0);
    if (hwloc_obj_type_is_cache(object->type))
      snprintf(attribute, sizeof attribute, " %llu KiB",
               (unsigned long long)object->attr->cache.size >> 10);
    used += (size_t)snprintf(line + used, sizeof line - used, "%s%s%s x%u", d > 0 ? ", " : "", type,
                             attribute, hwloc_get_nbobjs_by_depth(topology, d));
  }
  return json_string(line);
}

static void probe_topology(bench_machine *machine) {
  hwloc_topology_t topology;
  if (hwloc_topology_init(&topology) != 0 || hwloc_topology_load(topology) != 0)
    bench_die("hwloc cannot read this machine's topology");
  machine->l1 = cache_size(topology, HWLOC_OBJ_L1CACHE);
  machine->l2 = cache_size(topology, HWLOC_OBJ_L2CACHE);
  machine->l3 = cache_size(topology, HWLOC_OBJ_L3CACHE);
  json_object_set_new(machine->json, "topology", tree_line(topology));
  const int cores = hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_CORE);
  const int units = hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_PU);
  machine->cores = cores > 0 ? (uint32_t)cores : 1;
  json_object_set_new(machine->json, "smt", json_boolean(units > cores && cores > 0));
  hwloc_topology_destroy(topology);
}

/* Jiffies since the start of all processors, and of them idle ones. */
static int read_jiffies(double *all, double *idle) {
  double part[8] = {0};
  FILE *file = fopen("/proc/stat", "re");
  if (file == NULL) return -1;
  const int read = fscanf(file, "cpu %lf %lf %lf %lf %lf %lf %lf %lf", &part[0], &part[1], &part[2],
                          &part[3], &part[4], &part[5], &part[6], &part[7]);
  fclose(file);
  *all = 0.0;
  for (int i = 0; i < read; i++) *all += part[i];
  *idle = part[3] + part[4];
  return read >= 5 ? 0 : -1;
}

/* Whether others keep the processors busy while this process sleeps. The load average would not tell: it
 * remembers the bench's own last run. */
static int others_work(void) {
  const struct timespec time = {0, 400000000};
  double all[2], idle[2];
  if (read_jiffies(&all[0], &idle[0]) != 0) return 0;
  nanosleep(&time, NULL);
  if (read_jiffies(&all[1], &idle[1]) != 0 || all[1] <= all[0]) return 0;
  return (idle[1] - idle[0]) / (all[1] - all[0]) < 0.85;
}

static void probe_limits(bench_machine *machine) {
  cpu_set_t set;
  machine->processors = sched_getaffinity(0, sizeof set, &set) == 0 ? (uint32_t)CPU_COUNT(&set) : 1;
  const double quota = cgroup_quota();
  machine->quota = quota > 0.0 ? (uint32_t)(quota + 0.999) : 0;
  json_object_set_new(machine->json, "allowed_processors", json_integer(machine->processors));
  json_object_set_new(machine->json, "cores", json_integer(machine->cores));
  json_object_set_new(machine->json, "cgroup_quota", quota > 0.0 ? json_real(quota) : json_null());
  double load[1] = {0.0};
  if (getloadavg(load, 1) != 1) load[0] = 0.0;
  machine->load = load[0];
  machine->busy = others_work();
  json_object_set_new(machine->json, "load_average", json_real(load[0]));
  /* The bench itself has not begun: what runs now is somebody else. */
  json_object_set_new(machine->json, "busy", json_boolean(machine->busy));
}

static void probe_system(bench_machine *machine) {
  char text[512];
  struct utsname names;
  read_line("/proc/cpuinfo", "model name", text, sizeof text);
  json_object_set_new(machine->json, "cpu", json_string(text[0] != '\0' ? text : "unknown"));
  read_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "", text, sizeof text);
  json_object_set_new(machine->json, "governor", text[0] != '\0' ? json_string(text) : json_null());
  if (uname(&names) == 0)
    snprintf(text, sizeof text, "%s %s %s", names.sysname, names.release, names.machine);
  json_object_set_new(machine->json, "kernel", json_string(text));
  const time_t now = time(NULL);
  struct tm broken_down;
  strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &broken_down));
  json_object_set_new(machine->json, "time", json_string(text));
}

static int find_runtime(struct dl_phdr_info *info, size_t size, void *user) {
  static const char *const known[] = {"libgomp", "libomp", "libiomp"};
  for (int i = 0; i < 3; i++)
    if (strstr(info->dlpi_name, known[i]) != NULL) *(const char **)user = known[i];
  return 0;
}

static void probe_software(bench_machine *machine) {
  const char *runtime = "unknown";
  dl_iterate_phdr(find_runtime, &runtime);
  json_t *environment = json_object();
  static const char *const prefixes[] = {"OMP_", "GOMP_", "KMP_", "BACKDAG_"};
  for (char **entry = environ; *entry != NULL; entry++)
    for (int i = 0; i < 4; i++) {
      if (strncmp(*entry, prefixes[i], strlen(prefixes[i])) != 0) continue;
      const int length = (int)strcspn(*entry, "=");
      char *name = bench_format("%.*s", length, *entry);
      json_object_set_new(environment, name, json_string(strchr(*entry, '=') + 1));
      free(name);
    }
  json_object_set_new(machine->json, "openmp", json_string(runtime));
  json_object_set_new(machine->json, "environment", environment);
  json_object_set_new(machine->json, "compiler", json_string(BENCH_COMPILER));
  json_object_set_new(machine->json, "flags", json_string(BENCH_FLAGS));
  json_object_set_new(machine->json, "version", json_string(bdag_version()));
  json_object_set_new(machine->json, "commit", json_string(BENCH_COMMIT));
}

static json_t *pair(const double rate[2]) {
  return json_pack("[f, f]", rate[0], rate[1]);
}

static json_t *ceilings_json(const bench_ceilings *c) {
  json_t *levels = json_array(), *gathers = json_array();
  for (int l = 0; l < BENCH_LEVELS; l++)
    json_array_append_new(levels, json_pack("{s:s, s:I, s:o}", "level", c->read[l].name, "bytes",
                                            (json_int_t)c->read[l].bytes, "bytes_per_second",
                                            pair(c->read[l].rate)));
  for (int g = 0; g < BENCH_GATHERS; g++)
    json_array_append_new(gathers,
                          json_pack("{s:I, s:o, s:o}", "bytes", (json_int_t)c->gather[g].bytes,
                                    "bytes_per_second", pair(c->gather[g].rate),
                                    "prefetched_bytes_per_second", pair(c->gather[g].prefetched)));
  return json_pack("{s:i, s:s, s:o, s:o, s:o, s:o}", "threads", (int)c->threads, "isa", c->isa,
                   "fma_float32", pair(c->fma32), "fma_float64", pair(c->fma64), "read", levels,
                   "gather_256_byte_rows", gathers);
}

void bench_machine_probe(bench_machine *machine, double seconds) {
  memset(machine, 0, sizeof *machine);
  machine->json = json_object();
  probe_system(machine);
  probe_topology(machine);
  probe_limits(machine);
  probe_software(machine);
  if (!(seconds > 0.0)) return;
  uint32_t threads = machine->processors;
  if (machine->quota > 0 && machine->quota < threads) threads = machine->quota;
  bench_ceilings_measure(&machine->ceilings, threads, machine->l1, machine->l2, machine->l3,
                         seconds);
  json_object_set_new(machine->json, "ceilings", ceilings_json(&machine->ceilings));
}

void bench_machine_clear(bench_machine *machine) {
  json_decref(machine->json);
  machine->json = NULL;
}
