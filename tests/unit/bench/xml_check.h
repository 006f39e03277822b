/* Is a text well-formed XML? Strict and small: elements, quoted attributes, the five entities, numbers of
 * characters, comments, one DOCTYPE in front. Includes the standard library only. */
#ifndef TEST_XML_CHECK_H
#define TEST_XML_CHECK_H

#include <stddef.h>

/* NULL if it is, else a sentence with the place, which lives until the next call. */
const char *xml_fault(const char *text);

/* How often `part` occurs. */
size_t count_of(const char *text, const char *part);

#endif
