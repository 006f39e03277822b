/* backdag: forward and backward passes over an arbitrary directed acyclic graph of neurons.
 *
 * The way through: a context → a network (built or loaded) → a plan (analysed once) → weights →
 * an engine (passes) or a trainer; many small networks at once are a population. Every object is
 * released by its own destroy or release function.
 * The library never prints, exits, aborts or changes the process's locale, signal masks or, after
 * return, floating-point mode. What it cannot prevent: when the system refuses a thread to the OpenMP
 * runtime itself, that runtime ends the process; limits are checked beforehand.
 */
#ifndef BACKDAG_H
#define BACKDAG_H

#include <backdag/status.h>
#include <backdag/context.h>
#include <backdag/network.h>
#include <backdag/plan.h>
#include <backdag/engine.h>
#include <backdag/population.h>
#include <backdag/trace.h>
#include <backdag/train.h>
#include <backdag/io.h>

#define BDAG_VERSION_MAJOR 0
#define BDAG_VERSION_MINOR 1
#define BDAG_VERSION_PATCH 0

#ifdef __cplusplus
extern "C" {
#endif

/* Version of the library at run time, "major.minor.patch". Static storage. Thread-safe. */
BDAG_API const char *bdag_version(void);

#ifdef __cplusplus
}
#endif
#endif
