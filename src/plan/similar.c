/* Which items belong side by side: a chain in which neighbours' lists overlap as much as possible. Items
 * whose lists have the same minimum under a random hash probably overlap (min-wise hashing, Broder
 * 1997); within such a bucket overlaps are counted exactly; ends of chains are linked through further
 * hashes. Near-linear, and the same whatever the order of the lists' entries. May include base. */
#include <string.h>

#include "base/context_internal.h"
#include "plan/build.h"

#define BUCKET      64u
#define NO_ITEM     UINT32_MAX
#define LINK_ROUNDS 3
#define SORT_RUN    8u
#define ITEMS_AHEAD 12u
/* Chains are linked only if that share of the items lies next to a similar one. */
#define CLOSE_SHARE 16u

typedef struct bdag_item {
  uint64_t hash;  /* of the whole list */
  uint32_t low;   /* minimum under a hash */
  uint32_t place; /* in the order given */
} bdag_item;

typedef struct bdag_similar {
  const bdag_lists *lists;
  const uint32_t *given;
  uint32_t count;
  bdag_item *item;
  uint32_t (*link)[2]; /* [count] neighbours in the chain */
  uint32_t *chain;     /* [count] union-find */
  uint32_t close;      /* neighbours that share half of their entries or more */
  bdag_similar_work *work;
} bdag_similar;

static const uint32_t *list_of(const bdag_similar *s, uint32_t place, uint32_t *length) {
  const uint32_t id = s->given[place];
  *length = s->lists->length[id];
  return s->lists->data + (uint64_t)s->lists->offset[id] * s->lists->step;
}

static uint32_t scramble(uint32_t value, uint32_t seed) {
  value = (value ^ seed) * 0x9e3779b1u;
  value = (value ^ (value >> 15)) * 0x85ebca6bu;
  return value ^ (value >> 13);
}

static uint32_t minimum(const bdag_similar *s, uint32_t place, uint32_t seed) {
  uint32_t length, low = UINT32_MAX;
  const uint32_t *list = list_of(s, place, &length);
  for (uint32_t k = 0; k < length; k++) {
    const uint32_t hash = scramble(list[(uint64_t)k * s->lists->step], seed);
    low = hash < low ? hash : low;
  }
  return low;
}

/* Both of a list at once: each waits for its own results. The hash of a list is the sum of those of its
 * entries. */
static void summarize(const bdag_similar *s, bdag_item *item, uint32_t seed) {
  uint32_t length, low = UINT32_MAX;
  const uint32_t *list = list_of(s, item->place, &length);
  const uint64_t step = s->lists->step;
  uint64_t hash = length;
  for (uint32_t k = 0; k < length; k++) {
    const uint32_t entry = list[k * step], scrambled = scramble(entry, seed);
    const uint64_t mixed = (entry + UINT64_C(1)) * 0x9e3779b97f4a7c15u;
    low = scrambled < low ? scrambled : low;
    hash += (mixed ^ (mixed >> 29)) * 0xbf58476d1ce4e5b9u;
  }
  item->hash = hash;
  item->low = low;
}

static inline int comes_after(const bdag_item *a, const bdag_item *b) {
  return a->low > b->low || (a->low == b->low && a->hash > b->hash);
}

/* Merge sort; items are given in the order of their places, which settles ties. */
static void sort_items(const bdag_similar *s, uint32_t count) {
  bdag_item *from = s->item, *to = s->work->item_space;
  for (uint32_t begin = 0; begin < count; begin += SORT_RUN) {
    const uint32_t end = begin + SORT_RUN < count ? begin + SORT_RUN : count;
    for (uint32_t i = begin + 1; i < end; i++) {
      const bdag_item item = from[i];
      uint32_t j = i;
      for (; j > begin && comes_after(&from[j - 1], &item); j--) from[j] = from[j - 1];
      from[j] = item;
    }
  }
  for (uint64_t width = SORT_RUN; width < count; width *= 2) {
    for (uint64_t begin = 0; begin < count; begin += 2 * width) {
      uint64_t a = begin, b = begin + width < count ? begin + width : count;
      const uint64_t middle = b, end = b + width < count ? b + width : count;
      for (uint64_t i = begin; i < end; i++)
        to[i] =
            a < middle && (b == end || !comes_after(&from[a], &from[b])) ? from[a++] : from[b++];
    }
    bdag_item *swapped = from;
    from = to;
    to = swapped;
  }
  if (from != s->item) memcpy(s->item, from, count * sizeof *from);
}

static uint32_t chain_of(bdag_similar *s, uint32_t place) {
  while (s->chain[place] != place) place = s->chain[place] = s->chain[s->chain[place]];
  return place;
}

static void join(bdag_similar *s, uint32_t a, uint32_t b) {
  s->link[a][s->link[a][0] == NO_ITEM ? 0 : 1] = b;
  s->link[b][s->link[b][0] == NO_ITEM ? 0 : 1] = a;
  s->chain[chain_of(s, a)] = chain_of(s, b);
}

static int is_end(const bdag_similar *s, uint32_t place) {
  return s->link[place][1] == NO_ITEM;
}

/* Number of an entry among those of a bucket; *known: how many there are. */
static inline uint32_t number_of(bdag_numbering *table, uint32_t mask, uint32_t entry,
                                 uint32_t *known) {
  uint32_t at = mask == UINT32_MAX ? entry : scramble(entry, 3) & mask;
  while (table[at].number != NO_ITEM && table[at].entry != entry) at = (at + 1) & mask;
  if (table[at].number == NO_ITEM) table[at] = (bdag_numbering){entry, (*known)++};
  return table[at].number;
}

/* A table for the entries of some items, by hash or, where it would not be larger, by entry. 0 if there is
 * no memory, else *mask for number_of. */
static bdag_numbering *empty_table(bdag_similar *s, const bdag_item *items, uint32_t count,
                                   uint32_t *mask) {
  bdag_similar_work *work = s->work;
  uint64_t entries = 0, size = 64;
  for (uint32_t i = 0; i < count; i++) entries += s->lists->length[s->given[items[i].place]];
  while (size < 2 * entries) size *= 2;
  const int hashed = size < work->universe;
  if (!hashed) size = work->universe;
  void *table = work->table;
  if (bdag_grow(work->context, &table, &work->table_capacity, 0, size, sizeof *work->table))
    return NULL;
  work->table = table;
  memset(table, 0xff, size * sizeof *work->table);
  *mask = hashed ? (uint32_t)size - 1 : UINT32_MAX;
  return work->table;
}

/* One row of bits an item; entries are numbered as they come. Returns words a row, 0: no memory. */
static uint32_t fill_bits(bdag_similar *s, const bdag_context *context, const bdag_item *items,
                          uint32_t count) {
  bdag_similar_work *work = s->work;
  uint32_t known = 0, length, mask;
  bdag_numbering *table = empty_table(s, items, count, &mask);
  if (table == NULL) return 0;
  const uint64_t step = s->lists->step;
  for (uint32_t i = 0; i < count; i++) {
    const uint32_t *list = list_of(s, items[i].place, &length);
    for (uint32_t k = 0; k < length; k++) (void)number_of(table, mask, list[k * step], &known);
  }
  const uint32_t words = known / 64 + 1;
  void *bits = work->bits;
  if (bdag_grow(context, &bits, &work->bit_capacity, 0, (uint64_t)words * count,
                sizeof *work->bits))
    return 0;
  work->bits = bits;
  memset(work->bits, 0, (size_t)words * count * sizeof *work->bits);
  for (uint32_t i = 0; i < count; i++) {
    const uint32_t *list = list_of(s, items[i].place, &length);
    for (uint32_t k = 0; k < length; k++) {
      const uint32_t bit = number_of(table, mask, list[k * step], &known);
      work->bits[(size_t)i * words + bit / 64] |= UINT64_C(1) << (bit % 64);
    }
  }
  return words;
}

/* The baseline instruction set has none. */
static inline uint32_t count_ones(uint64_t word) {
  word -= (word >> 1) & 0x5555555555555555u;
  word = (word & 0x3333333333333333u) + ((word >> 2) & 0x3333333333333333u);
  return (uint32_t)((((word + (word >> 4)) & 0x0f0f0f0f0f0f0f0fu) * 0x0101010101010101u) >> 56);
}

typedef uint32_t overlaps[BUCKET][BUCKET];

/* What each two of `count` rows of bits have in common. */
static inline __attribute__((always_inline)) void count_common(const uint64_t *bits, uint32_t words,
                                                               uint32_t count, overlaps common,
                                                               int instruction) {
  for (uint32_t a = 0; a < count; a++)
    for (uint32_t b = 0; b <= a; b++) {
      const uint64_t *left = bits + (size_t)a * words, *right = bits + (size_t)b * words;
      uint32_t sum = 0;
      for (uint32_t w = 0; w < words; w++)
        sum += instruction ? (uint32_t)__builtin_popcountll(left[w] & right[w])
                           : count_ones(left[w] & right[w]);
      common[a][b] = common[b][a] = sum;
    }
}

#ifdef __x86_64__
__attribute__((target("popcnt"))) static void
count_common_popcnt(const uint64_t *bits, uint32_t words, uint32_t count, overlaps common) {
  count_common(bits, words, count, common, 1);
}
#endif

/* Of each two of a bucket's items. Returns −1 when out of memory. */
static int fill_overlaps(bdag_similar *s, const bdag_context *context, const bdag_item *items,
                         uint32_t count, overlaps common) {
  const uint32_t words = fill_bits(s, context, items, count);
  if (words == 0) return -1;
#ifdef __x86_64__
  if (context->isa != BDAG_ISA_BASELINE) {
    count_common_popcnt(s->work->bits, words, count, common);
    return 0;
  }
#endif
  count_common(s->work->bits, words, count, common, 0);
  return 0;
}

/* The item that overlaps least with all others is taken for an end of the chain. */
static uint32_t choose_start(overlaps common, uint32_t count) {
  uint32_t best = 0, least = UINT32_MAX;
  for (uint32_t a = 0; a < count; a++) {
    uint32_t sum = 0;
    for (uint32_t b = 0; b < count; b++) sum += common[a][b];
    if (sum < least) {
      least = sum;
      best = a;
    }
  }
  return best;
}

static int chain_bucket(bdag_similar *s, const bdag_context *context, const bdag_item *items,
                        uint32_t count) {
  if (items[0].hash == items[count - 1].hash) {
    for (uint32_t i = 1; i < count; i++) join(s, items[i - 1].place, items[i].place);
    s->close += count - 1;
    return 0;
  }
  overlaps common;
  if (fill_overlaps(s, context, items, count, common)) return -1;
  uint8_t used[BUCKET] = {0};
  uint32_t at = choose_start(common, count);
  used[at] = 1;
  for (uint32_t step = 1; step < count; step++) {
    uint32_t best = NO_ITEM, most = 0;
    for (uint32_t b = 0; b < count; b++) {
      if (used[b]) continue;
      if (best != NO_ITEM && common[at][b] <= most) continue;
      most = common[at][b];
      best = b;
    }
    used[best] = 1;
    uint32_t length;
    list_of(s, items[best].place, &length);
    s->close += 2 * most >= length;
    join(s, items[at].place, items[best].place);
    at = best;
  }
  return 0;
}

/* Equal lists may fill a bucket of any size; others are looked at 64 at a time. */
static int chain_buckets(bdag_similar *s, const bdag_context *context, uint32_t count) {
  for (uint32_t begin = 0; begin < count;) {
    uint32_t end = begin + 1;
    while (end < count && s->item[end].low == s->item[begin].low &&
           (end - begin < BUCKET || s->item[end].hash == s->item[begin].hash))
      end++;
    if (end - begin > BUCKET && s->item[end - 1].hash != s->item[begin].hash) end = begin + BUCKET;
    if (chain_bucket(s, context, s->item + begin, end - begin)) return -1;
    begin = end;
  }
  return 0;
}

/* Ends of different chains that overlap by half or more are linked, best pairs of a bucket first. */
static int link_bucket(bdag_similar *s, const bdag_context *context, const bdag_item *items,
                       uint32_t count) {
  overlaps common;
  if (fill_overlaps(s, context, items, count, common)) return -1;
  for (;;) {
    uint32_t best_a = NO_ITEM, best_b = 0, most = 0, length;
    for (uint32_t a = 0; a < count; a++) {
      if (!is_end(s, items[a].place)) continue;
      list_of(s, items[a].place, &length);
      for (uint32_t b = a + 1; b < count; b++) {
        if (!is_end(s, items[b].place)) continue;
        if (common[a][b] <= most || 2 * common[a][b] < length) continue;
        if (chain_of(s, items[a].place) == chain_of(s, items[b].place)) continue;
        most = common[a][b];
        best_a = a;
        best_b = b;
      }
    }
    if (best_a == NO_ITEM) return 0;
    join(s, items[best_a].place, items[best_b].place);
  }
}

static int link_ends(bdag_similar *s, const bdag_context *context, uint32_t seed) {
  uint32_t ends = 0;
  for (uint32_t place = 0; place < s->count; place++)
    if (is_end(s, place)) s->item[ends++] = (bdag_item){0, minimum(s, place, seed), place};
  if (ends < 3) return 0;
  sort_items(s, ends);
  for (uint32_t begin = 0; begin < ends;) {
    uint32_t end = begin + 1;
    while (end < ends && end - begin < BUCKET / 2 && s->item[end].low == s->item[begin].low) end++;
    if (end - begin > 1 && link_bucket(s, context, s->item + begin, end - begin)) return -1;
    begin = end;
  }
  return 0;
}

/* Walks the chains, those with the lowest entry first. */
static void write_chains(bdag_similar *s, uint32_t *order) {
  uint32_t ends = 0, length;
  for (uint32_t place = 0; place < s->count; place++) {
    if (!is_end(s, place)) continue;
    const uint32_t *list = list_of(s, place, &length);
    s->item[ends++] = (bdag_item){0, length > 0 ? list[0] : 0, place};
  }
  sort_items(s, ends);
  uint32_t written = 0;
  for (uint32_t i = 0; i < ends; i++) {
    uint32_t place = s->item[i].place, before = NO_ITEM;
    if (s->chain[place] == NO_ITEM) continue;
    while (place != NO_ITEM) {
      order[written++] = s->given[place];
      s->chain[place] = NO_ITEM;
      const uint32_t next = s->link[place][0] != before ? s->link[place][0] : s->link[place][1];
      before = place;
      place = next;
    }
  }
}

/* Lists are far apart in memory. */
BDAG_PREFETCHING prefetch_list(const bdag_similar *s, uint32_t place) {
  if (place + 2 * ITEMS_AHEAD < s->count) {
    const uint32_t later = s->given[place + 2 * ITEMS_AHEAD];
    __builtin_prefetch(&s->lists->offset[later]);
    __builtin_prefetch(&s->lists->length[later]);
  }
  if (place + ITEMS_AHEAD >= s->count) return;
  uint32_t length;
  const uint32_t *list = list_of(s, place + ITEMS_AHEAD, &length);
  for (uint32_t k = 0; k < length * s->lists->step && k < 64; k += 16) __builtin_prefetch(&list[k]);
}

static int find_chains(bdag_similar *s, const bdag_context *context) {
  for (uint32_t place = 0; place < s->count; place++) {
    s->item[place].place = place;
    prefetch_list(s, place);
    summarize(s, &s->item[place], 1);
    s->work->hash[place] = s->item[place].hash;
    s->link[place][0] = s->link[place][1] = NO_ITEM;
    s->chain[place] = place;
  }
  sort_items(s, s->count);
  if (chain_buckets(s, context, s->count)) return -1;
  if (s->close < s->count / CLOSE_SHARE) return 0;
  for (uint32_t round = 0; round < LINK_ROUNDS; round++)
    if (link_ends(s, context, 0x51ed27u * (round + 2))) return -1;
  return 0;
}

void bdag_similar_create(bdag_similar_work *work, const bdag_context *context, uint32_t universe) {
  *work = (bdag_similar_work){.context = context, .universe = universe};
}

void bdag_similar_destroy(bdag_similar_work *work) {
  bdag_free(work->context, work->given);
  bdag_free(work->context, work->item);
  bdag_free(work->context, work->item_space);
  bdag_free(work->context, work->link);
  bdag_free(work->context, work->chain);
  bdag_free(work->context, work->hash);
  bdag_free(work->context, work->table);
  bdag_free(work->context, work->bits);
}

static int make_room(bdag_similar_work *work, uint64_t count) {
  if (count <= work->capacity) return 0;
  const bdag_context *context = work->context;
  const uint64_t most = count + count / 4;
  bdag_similar_destroy(work);
  bdag_similar_create(work, context, work->universe);
  work->given = bdag_allocate_array(context, most, sizeof *work->given);
  work->item = bdag_allocate_array(context, most, sizeof(bdag_item));
  work->item_space = bdag_allocate_array(context, most, sizeof(bdag_item));
  work->link = bdag_allocate_array(context, most, 2 * sizeof(uint32_t));
  work->chain = bdag_allocate_array(context, most, sizeof *work->chain);
  work->hash = bdag_allocate_array(context, most, sizeof *work->hash);
  if (work->given == NULL || work->item == NULL || work->item_space == NULL || work->link == NULL ||
      work->chain == NULL || work->hash == NULL)
    return -1;
  work->capacity = most;
  return 0;
}

static bdag_similar similar_of(bdag_similar_work *work, const bdag_lists *lists,
                               const uint32_t *order, uint32_t count) {
  memcpy(work->given, order, count * sizeof *order);
  return (bdag_similar){.lists = lists,
                        .given = work->given,
                        .count = count,
                        .item = work->item,
                        .link = work->link,
                        .chain = work->chain,
                        .work = work};
}

int bdag_order_similar(bdag_similar_work *work, const bdag_lists *lists, uint32_t *order,
                       uint32_t count) {
  if (count < 2) return 0;
  if (make_room(work, count)) return -1;
  bdag_similar s = similar_of(work, lists, order, count);
  if (find_chains(&s, work->context)) return -1;
  write_chains(&s, order);
  return 0;
}

/* Walks the chains, those that come first in the order given first. */
static void mark_chains(bdag_similar *s, uint32_t *order, uint8_t *marks) {
  const uint64_t *hash = s->work->hash;
  uint32_t written = 0;
  for (uint32_t first = 0; first < s->count; first++) {
    if (!is_end(s, first) || s->chain[first] == NO_ITEM) continue;
    uint32_t place = first, before = NO_ITEM;
    while (place != NO_ITEM) {
      marks[written] = before == NO_ITEM             ? BDAG_CHAIN_BEGINS
                       : hash[place] == hash[before] ? BDAG_CHAIN_REPEATS
                                                     : 0;
      order[written++] = s->given[place];
      s->chain[place] = NO_ITEM;
      const uint32_t next = s->link[place][0] != before ? s->link[place][0] : s->link[place][1];
      before = place;
      place = next;
    }
  }
}

int bdag_find_chains(bdag_similar_work *work, const bdag_lists *lists, uint32_t *order,
                     uint32_t count, uint8_t *marks) {
  if (count == 1) marks[0] = BDAG_CHAIN_BEGINS;
  if (count < 2) return 0;
  if (make_room(work, count)) return -1;
  bdag_similar s = similar_of(work, lists, order, count);
  if (find_chains(&s, work->context)) return -1;
  mark_chains(&s, order, marks);
  return 0;
}

int bdag_sort_chains(bdag_similar_work *work, uint32_t *order, uint32_t count, uint8_t *marks,
                     const uint32_t *lowest) {
  if (count < 2) return 0;
  if (make_room(work, count)) return -1;
  bdag_similar s = similar_of(work, NULL, order, count);
  uint32_t chains = 0, written = 0;
  for (uint32_t begin = 0, end; begin < count; begin = end) {
    for (end = begin + 1; end < count && !(marks[end] & BDAG_CHAIN_BEGINS); end++) {
    }
    const uint32_t first = lowest[begin], last = lowest[end - 1];
    s.item[chains++] = (bdag_item){(uint64_t)end, last < first ? last : first, begin};
  }
  sort_items(&s, chains);
  uint8_t *given_marks = (uint8_t *)s.chain;
  memcpy(given_marks, marks, count);
  for (uint32_t c = 0; c < chains; c++) {
    const uint32_t begin = s.item[c].place, end = (uint32_t)s.item[c].hash;
    const int back = lowest[end - 1] < lowest[begin];
    for (uint32_t i = begin; i < end; i++) {
      /* what a mark says of two neighbours holds in both directions */
      const uint32_t from = back ? begin + end - 1 - i : i, edge = back ? from + 1 : from;
      marks[written] = i == begin ? BDAG_CHAIN_BEGINS : given_marks[edge];
      order[written++] = s.given[from];
    }
  }
  return 0;
}
