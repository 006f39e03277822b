/* Processors, cores, caches and the number of threads that follows from them. Floor 0. */
#include "base/topology.h"

#include <hwloc.h>
#include <omp.h>
#include <unistd.h>

#include "base/cgroup.h"
#include "base/error.h"

/* Without the kernel's description of the processors hwloc's Linux part prints on stderr and finds
 * nothing. Then its other parts ask the processors themselves, for which they bind the calling thread to
 * one after the other and back; with it they need not. */
static int kernel_describes_processors(void) {
  static const char *const names[] = {
      "/sys/devices/system/cpu/cpu0/topology/package_cpus",
      "/sys/devices/system/cpu/cpu0/topology/core_siblings",
      "/sys/devices/system/cpu/cpu0/topology/core_cpus",
      "/sys/devices/system/cpu/cpu0/topology/thread_siblings",
  };
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    if (access(names[i], R_OK) == 0) return 1;
  return 0;
}

static void choose_parts(hwloc_topology_t topology) {
  if (kernel_describes_processors())
    (void)hwloc_topology_set_flags(topology, HWLOC_TOPOLOGY_FLAG_DONT_CHANGE_BINDING);
  else
    (void)hwloc_topology_set_components(topology, HWLOC_TOPOLOGY_COMPONENTS_FLAG_BLACKLIST,
                                        "linux");
}

/* With OMP_PROC_BIND the OpenMP runtime shrinks the mask of the thread that loads it to one processor;
 * then only the runtime knows what was allowed. */
static uint32_t processors_known_to_openmp(void) {
  if (omp_get_proc_bind() == omp_proc_bind_false) return 0;
  const int processors = omp_get_num_procs();
  return processors > 0 ? (uint32_t)processors : 0;
}

static void restrict_to_binding(hwloc_topology_t topology, uint32_t openmp_processors) {
  const hwloc_bitmap_t set = hwloc_bitmap_alloc();
  if (set == NULL) return;
  if (hwloc_get_cpubind(topology, set, HWLOC_CPUBIND_THREAD) == 0 && hwloc_bitmap_weight(set) > 0 &&
      (uint32_t)hwloc_bitmap_weight(set) >= openmp_processors) {
    (void)hwloc_topology_restrict(topology, set, 0);
  }
  hwloc_bitmap_free(set);
}

static size_t cache_size(hwloc_topology_t topology, hwloc_obj_type_t type, size_t otherwise) {
  const hwloc_obj_t cache = hwloc_get_obj_by_type(topology, type, 0);
  return cache != NULL && cache->attr->cache.size > 0 ? (size_t)cache->attr->cache.size : otherwise;
}

static uint32_t count_of(hwloc_topology_t topology, hwloc_obj_type_t type) {
  const int count = hwloc_get_nbobjs_by_type(topology, type);
  return count > 0 ? (uint32_t)count : 0;
}

void bdag_topology_describe(bdag_context *context) {
  bdag_machine *const machine = &context->machine;
  const hwloc_topology_t topology = context->topology;
  machine->processors = count_of(topology, HWLOC_OBJ_PU);
  if (machine->processors == 0) machine->processors = 1;
  machine->cores = count_of(topology, HWLOC_OBJ_CORE);
  if (machine->cores == 0 || machine->cores > machine->processors)
    machine->cores = machine->processors;
  machine->nodes = count_of(topology, HWLOC_OBJ_NUMANODE);
  if (machine->nodes == 0) machine->nodes = 1;
  machine->l1 = cache_size(topology, HWLOC_OBJ_L1CACHE, 32u << 10);
  machine->l2 = cache_size(topology, HWLOC_OBJ_L2CACHE, 512u << 10);
  machine->l3 = cache_size(topology, HWLOC_OBJ_L3CACHE, 8u << 20);
  machine->is_this_system = hwloc_topology_is_thissystem(topology);
}

uint32_t bdag_topology_places(const bdag_context *context, uint32_t capacity, uint32_t *place) {
  const hwloc_topology_t topology = context->topology;
  const hwloc_obj_type_t of =
      count_of(topology, HWLOC_OBJ_CORE) > 0 ? HWLOC_OBJ_CORE : HWLOC_OBJ_PU;
  const uint32_t cores = count_of(topology, of);
  uint32_t count = 0, before;
  unsigned turn = 0;
  do {
    before = count;
    for (uint32_t c = 0; c < cores && count < capacity; c++) {
      const hwloc_obj_t core = hwloc_get_obj_by_type(topology, of, c);
      const hwloc_obj_t processor =
          hwloc_get_obj_inside_cpuset_by_type(topology, core->cpuset, HWLOC_OBJ_PU, turn);
      if (processor != NULL) place[count++] = processor->os_index;
    }
    turn++;
  } while (count > before);
  return count;
}

bdag_status bdag_topology_load(bdag_context *context, const char *synthetic, bdag_error *error) {
  hwloc_topology_t topology;
  if (hwloc_topology_init(&topology) != 0) return bdag_fail_memory(error);
  if (synthetic != NULL && hwloc_topology_set_synthetic(topology, synthetic) != 0) {
    hwloc_topology_destroy(topology);
    return bdag_fail(
        error, BDAG_ERROR_INVALID_ARGUMENT,
        "hwloc does not understand the synthetic topology \"%.200s\"; an example of one "
        "is \"pack:2 core:4 pu:2\"",
        synthetic);
  }
  choose_parts(topology);
  if (hwloc_topology_load(topology) != 0) {
    hwloc_topology_destroy(topology);
    return bdag_fail(error, BDAG_ERROR_INVALID_ARGUMENT,
                     "hwloc cannot load the topology of %s; see its variables HWLOC_XMLFILE and "
                     "HWLOC_COMPONENTS",
                     synthetic != NULL ? synthetic : "this machine");
  }
  const int own = hwloc_topology_is_thissystem(topology);
  const uint32_t openmp_processors = own ? processors_known_to_openmp() : 0;
  if (own) restrict_to_binding(topology, openmp_processors);
  context->topology = topology;
  bdag_topology_describe(context);
  context->machine.quota = own ? bdag_cgroup_quota("") : UINT32_MAX;
  if (openmp_processors > 0 && openmp_processors < context->machine.processors) {
    context->machine.processors = openmp_processors;
    if (context->machine.cores > openmp_processors) context->machine.cores = openmp_processors;
  }
  return BDAG_OK;
}

void bdag_topology_release(bdag_context *context) {
  if (context->topology != NULL) hwloc_topology_destroy(context->topology);
  context->topology = NULL;
}

/* The first number of a list such as "4,2"; 0 when there is none. */
static uint32_t first_number(const char *list) {
  if (list == NULL) return 0;
  while (*list == ' ' || *list == '\t') list++;
  uint64_t number = 0;
  if (*list < '0' || *list > '9') return 0;
  for (; *list >= '0' && *list <= '9'; list++) {
    if (number < BDAG_MOST_THREADS) number = number * 10 + (uint64_t)(*list - '0');
  }
  while (*list == ' ' || *list == '\t') list++;
  if (*list != '\0' && *list != ',') return 0;
  return number < BDAG_MOST_THREADS ? (uint32_t)number : BDAG_MOST_THREADS;
}

bdag_status bdag_topology_threads(bdag_context *context, uint32_t requested, const char *variable,
                                  bdag_error *error) {
  const bdag_machine *const machine = &context->machine;
  const uint32_t allowed =
      machine->processors < BDAG_MOST_THREADS ? machine->processors : BDAG_MOST_THREADS;
  uint32_t threads = requested;
  if (threads > allowed && !context->oversubscribe) {
    return bdag_fail(
        error, BDAG_ERROR_THREADS,
        "%u threads were asked for, but this process may use %u processors; ask for at "
        "most that many or set the context's option oversubscribe",
        threads, allowed);
  }
  if (threads == 0) {
    threads = first_number(variable);
    if (threads > allowed && !context->oversubscribe) {
      bdag_log(context, BDAG_LOG_INFO,
               "OMP_NUM_THREADS asks for %u threads, more than the %u processors allowed: using %u",
               threads, allowed, allowed);
      threads = allowed;
    }
  }
  if (threads == 0) {
    threads = machine->cores < allowed ? machine->cores : allowed;
    if (machine->quota < threads) threads = machine->quota;
    if (threads == 0) threads = 1;
  }
  context->threads = threads;
  return BDAG_OK;
}
