/* Formatting text independently of the locale. Floor 0. */
#ifndef BDAG_BASE_TEXT_H
#define BDAG_BASE_TEXT_H

#include <stdarg.h>
#include <stddef.h>

/* vsnprintf in the C locale; what does not fit is cut at a whole UTF-8 character, newlines at the end
 * are dropped. `size` is at least 1. */
__attribute__((format(printf, 3, 0))) void bdag_format_text(char *text, size_t size,
                                                            const char *format, va_list arguments);

#endif
