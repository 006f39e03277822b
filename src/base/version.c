/* The version at run time. Floor 0. */
#include <backdag/backdag.h>

#define TEXT(number)                #number
#define DOTTED(major, minor, patch) TEXT(major) "." TEXT(minor) "." TEXT(patch)

const char *bdag_version(void) {
  return DOTTED(BDAG_VERSION_MAJOR, BDAG_VERSION_MINOR, BDAG_VERSION_PATCH);
}
