/* The checker: one pass, with a stack of open elements. */
#include "xml_check.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { DEEPEST = 64 };

typedef struct checker {
  const char *at;
  const char *open[DEEPEST];
  size_t length[DEEPEST], depth, roots;
  const char *fault;
} checker;

static int fail(checker *c, const char *fault) {
  if (c->fault == NULL) c->fault = fault;
  return 0;
}

static size_t name_length(const char *text) {
  size_t length = 0;
  if (!isalpha((unsigned char)text[0]) && text[0] != '_') return 0;
  while (isalnum((unsigned char)text[length]) || strchr("_:.-", text[length]) != NULL)
    if (text[length] == '\0')
      break;
    else
      length++;
  return length;
}

/* One character of text or of a value. */
static int take_character(checker *c) {
  static const char *const entities[] = {"&lt;", "&gt;", "&amp;", "&quot;", "&#39;"};
  if (*c->at == '<') return fail(c, "a bare <");
  if ((unsigned char)*c->at < ' ' && strchr("\t\n\r", *c->at) == NULL)
    return fail(c, "a control character");
  if (*c->at != '&') {
    c->at++;
    return 1;
  }
  for (size_t i = 0; i < sizeof entities / sizeof *entities; i++)
    if (strncmp(c->at, entities[i], strlen(entities[i])) == 0) {
      c->at += strlen(entities[i]);
      return 1;
    }
  return fail(c, "a bare &");
}

static int take_attribute(checker *c) {
  const size_t length = name_length(c->at);
  if (length == 0 || c->at[length] != '=' || c->at[length + 1] != '"')
    return fail(c, "an attribute without name or quotes");
  c->at += length + 2;
  while (*c->at != '"')
    if (*c->at == '\0' || !take_character(c)) return fail(c, "a value that does not end");
  c->at++;
  return 1;
}

static int take_tag(checker *c) {
  const int closing = c->at[1] == '/';
  c->at += 1 + closing;
  const char *name = c->at;
  const size_t length = name_length(name);
  if (length == 0) return fail(c, "a tag without name");
  c->at += length;
  if (closing) {
    if (*c->at != '>' || c->depth == 0 || c->length[c->depth - 1] != length ||
        strncmp(c->open[c->depth - 1], name, length) != 0)
      return fail(c, "an end that matches no start");
    c->at++;
    c->depth--;
    return 1;
  }
  while (*c->at == ' ' || *c->at == '\n') {
    c->at += strspn(c->at, " \n");
    if (*c->at != '>' && *c->at != '/' && !take_attribute(c)) return 0;
  }
  if (c->depth == 0 && c->roots++ > 0) return fail(c, "a second root");
  if (strncmp(c->at, "/>", 2) == 0) {
    c->at += 2;
    return 1;
  }
  if (*c->at != '>' || c->depth == DEEPEST) return fail(c, "a tag that does not end");
  c->open[c->depth] = name;
  c->length[c->depth++] = length;
  c->at++;
  return 1;
}

const char *xml_fault(const char *text) {
  static char message[160];
  static const char type[] = "<!DOCTYPE html>";
  checker c = {.at = text};
  if (strncmp(text, type, strlen(type)) == 0) c.at += strlen(type);
  while (*c.at != '\0' && c.fault == NULL) {
    if (*c.at == '<')
      take_tag(&c);
    else if (c.depth == 0 && !isspace((unsigned char)*c.at))
      fail(&c, "text outside of the root");
    else
      take_character(&c);
  }
  if (c.fault == NULL && c.depth > 0) c.fault = "an element that does not end";
  if (c.fault == NULL && c.roots != 1) c.fault = "no root";
  if (c.fault == NULL) return NULL;
  snprintf(message, sizeof message, "%s at byte %zu: %.60s", c.fault, (size_t)(c.at - text), c.at);
  return message;
}

size_t count_of(const char *text, const char *part) {
  size_t count = 0;
  for (const char *at = text; (at = strstr(at, part)) != NULL; at += strlen(part)) count++;
  return count;
}
