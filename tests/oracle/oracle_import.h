/* The oracle's picture of a library's network, taken through the public getters only. */
#ifndef ORACLE_IMPORT_H
#define ORACLE_IMPORT_H

#include <backdag/network.h>

#include "oracle_network.h"

/* What the oracle uses for registered kinds. */
typedef struct oracle_custom {
  uint32_t activation_kind;
  double (*value)(double parameter, double z);
  double (*derivative)(double parameter, double z);
  uint32_t loss_kind[2];
  oracle_custom_loss loss[2];
} oracle_custom;

/* Fills in `oracle`, with every number rounded to `type` as the library's weights are. `custom` may be
 * NULL. Returns 0, −1 if a getter fails. */
int oracle_import(oracle_network *oracle, const bdag_network *network, bdag_type type,
                  const oracle_custom *custom);

#endif
