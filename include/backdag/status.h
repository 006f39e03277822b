/* Status codes and the error report that fallible set-up and I/O functions fill in. */
#ifndef BACKDAG_STATUS_H
#define BACKDAG_STATUS_H

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32) || !defined(__GNUC__)
#define BDAG_API
#else
#define BDAG_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* What a function of this library returns. Zero is success; every other value leaves the objects
 * involved valid and, unless stated otherwise, unchanged. */
typedef enum bdag_status {
  BDAG_OK = 0,
  BDAG_ERROR_INVALID_ARGUMENT = 1, /* an argument is NULL, out of its range or contradictory */
  BDAG_ERROR_UNKNOWN_ID = 2,       /* a vertex, edge, parameter or registered id does not exist */
  BDAG_ERROR_OUT_OF_MEMORY = 3,    /* the allocator returned NULL, or a memory limit is reached */
  BDAG_ERROR_CYCLE = 4,            /* the edges contain a directed cycle */
  BDAG_ERROR_ENUMERATION = 5,      /* a caller's enumeration is not a reverse topological order */
  BDAG_ERROR_NO_LOSS = 6,          /* a backward pass was asked of a network without a loss */
  BDAG_ERROR_NO_OUTPUTS = 7,       /* outputs were asked of a network that declares none */
  BDAG_ERROR_NOT_KEPT = 8,         /* the engine was told not to keep what is read */
  BDAG_ERROR_NOT_FINITE = 9,       /* a weight, bias or loss is NaN or infinite */
  BDAG_ERROR_BAD_TARGET = 10,      /* a target is out of range for its loss term */
  BDAG_ERROR_ORDER = 11,           /* call order: e.g. backward before forward */
  BDAG_ERROR_MISMATCH = 12,        /* objects do not belong together: other plan, other type */
  BDAG_ERROR_BUSY = 13,            /* the object is in use: weights held by a trainer, or frozen */
  BDAG_ERROR_CANCELLED = 14,       /* a callback or another thread asked to stop */
  BDAG_ERROR_CALLBACK = 15,        /* a user's callback reported failure */
  BDAG_ERROR_IO = 16,              /* the operating system refused to read or write */
  BDAG_ERROR_FORMAT = 17,          /* a file is malformed; the error names line or offset */
  BDAG_ERROR_UNSUPPORTED = 18,     /* valid, but not something this library does */
  BDAG_ERROR_LIMIT = 19,           /* a count would overflow or exceeds a limit */
  BDAG_ERROR_THREADS = 20          /* the system does not allow the threads that were asked for */
} bdag_status;

/* Caller-owned report of a failure; pass NULL where only the status matters.
 * A function writes it only when it fails. It holds no pointers and may be copied. */
typedef struct bdag_error {
  bdag_status status;
  uint64_t line;     /* 1-based line in `file`, 0 where there is none */
  uint64_t offset;   /* byte offset in `file`, UINT64_MAX where there is none */
  char file[256];    /* shortened at the front if longer; "" where no file is involved */
  char message[512]; /* one sentence: what, where, and what to do; never ends with a newline */
} bdag_error;

/* The status as a short English phrase, e.g. "directed cycle". Never NULL; static storage.
 * Thread-safe. */
BDAG_API const char *bdag_status_string(bdag_status status);

#ifdef __cplusplus
}
#endif
#endif
