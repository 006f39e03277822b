/* The pull of out_grad: for rows u, Σ over successors v of w(u→v)·in_grad(v). Rows that occur side by
 * side in the same panels form one group with dense terms, strided into the panels' own weights; what is
 * irregular becomes a list of successors and slots. May include base and network. */
#include <string.h>

#include "plan/build.h"

/* Below that many targets a lone row is better served by its list. */
#define TERM_TARGETS 4u

typedef struct bdag_member {
  uint32_t panel, position;
} bdag_member;

typedef struct bdag_members {
  uint64_t *offset; /* [rows + 1] */
  bdag_member *member;
} bdag_members;

static bdag_status list_members(const bdag_build *build, bdag_members *members) {
  const bdag_plan *plan = build->plan;
  const bdag_context *context = build->context;
  members->offset =
      bdag_allocate_zeroed(context, (uint64_t)plan->rows + 2, sizeof *members->offset);
  members->member = bdag_allocate_array(context, plan->sources, sizeof *members->member);
  if (members->offset == NULL || members->member == NULL) return BDAG_ERROR_OUT_OF_MEMORY;
  uint64_t *next = members->offset + 1;
  for (uint32_t p = 0; p < plan->panels; p++)
    for (uint32_t k = 0; plan->panel[p].reaches && k < plan->panel[p].sources; k++)
      next[plan->source[plan->panel[p].list + k] + 1]++;
  for (uint32_t row = 0; row < plan->rows; row++) next[row + 1] += next[row];
  for (uint32_t p = 0; p < plan->panels; p++)
    for (uint32_t k = 0; plan->panel[p].reaches && k < plan->panel[p].sources; k++)
      members->member[next[plan->source[plan->panel[p].list + k]]++] = (bdag_member){p, k};
  return BDAG_OK;
}

/* Whether the row can be pulled together with the row before it. */
static int continues(const bdag_plan *plan, const bdag_members *members, uint32_t row) {
  const uint64_t *offset = members->offset;
  const uint64_t count = offset[row + 1] - offset[row];
  if (count != offset[row] - offset[row - 1]) return 0;
  if (plan->in_loss[row] != plan->in_loss[row - 1]) return 0;
  const bdag_member *now = members->member + offset[row];
  const bdag_member *before = members->member + offset[row - 1];
  for (uint64_t i = 0; i < count; i++)
    if (now[i].panel != before[i].panel || now[i].position != before[i].position + 1) return 0;
  return 1;
}

static int same_activation(const bdag_panel *a, const bdag_panel *b) {
  return a->activation == b->activation &&
         memcmp(&a->activation_parameter, &b->activation_parameter,
                sizeof a->activation_parameter) == 0;
}

/* Terms and lists of one group; with `plan->term` NULL they are only counted. */
static void describe_group(bdag_plan *plan, const bdag_members *members, bdag_pull_group *group) {
  group->term = plan->terms;
  group->list = plan->listed;
  for (uint64_t i = members->offset[group->row]; i < members->offset[group->row + 1]; i++) {
    const bdag_panel *panel = &plan->panel[members->member[i].panel];
    const uint64_t slot = panel->slot + (uint64_t)members->member[i].position * panel->targets;
    if (group->rows > 1 || panel->targets >= TERM_TARGETS) {
      if (plan->term != NULL)
        plan->term[plan->terms] = (bdag_pull_term){panel->row, panel->targets, slot};
      plan->terms++;
    } else {
      for (uint32_t r = 0; r < panel->targets; r++, plan->listed++) {
        if (plan->successor == NULL) continue;
        plan->successor[plan->listed] = panel->row + r;
        plan->successor_slot[plan->listed] = slot + r;
      }
    }
  }
  group->terms = (uint32_t)(plan->terms - group->term);
  group->listed = (uint32_t)(plan->listed - group->list);
}

/* Groups among rows first … end−1, which belong to `panel` (NULL: inputs). */
static void groups_of_rows(bdag_plan *plan, const bdag_members *members, uint32_t first,
                           uint32_t end, const bdag_panel *panel) {
  for (uint32_t row = first; row < end;) {
    uint32_t stop = row + 1;
    while (stop < end && continues(plan, members, stop)) stop++;
    bdag_pull_group group = {
        .row = row, .rows = stop - row, .in_row = plan->in_row[row], .in_loss = plan->in_loss[row]};
    if (panel != NULL) {
      group.activation = panel->activation;
      group.activation_parameter = panel->activation_parameter;
    }
    describe_group(plan, members, &group);
    if (plan->pull != NULL) plan->pull[plan->pulls] = group;
    plan->pulls++;
    row = stop;
  }
}

static uint32_t last_panel_alike(const bdag_plan *plan, uint32_t p, uint32_t end) {
  while (p + 1 < end && plan->panel[p + 1].reaches == plan->panel[p].reaches &&
         same_activation(&plan->panel[p], &plan->panel[p + 1]))
    p++;
  return p;
}

static void all_groups(bdag_build *build, const bdag_members *members) {
  bdag_plan *plan = build->plan;
  plan->pulls = 0;
  plan->terms = plan->listed = 0;
  for (uint32_t t = 0; t < plan->tasks; t++) {
    bdag_task *task = &plan->task[t];
    task->pull = plan->pulls;
    const uint32_t end = task->panel + task->panels;
    for (uint32_t p = task->panel; p < end;) {
      const uint32_t last = last_panel_alike(plan, p, end);
      const bdag_panel *panel = &plan->panel[last];
      if (panel->reaches)
        groups_of_rows(plan, members, plan->panel[p].row, panel->row + panel->targets, panel);
      p = last + 1;
    }
    task->pulls = plan->pulls - task->pull;
  }
  const uint32_t neuron_pulls = plan->pulls;
  for (uint32_t i = 0; i < plan->first_neuron; i++) {
    const uint32_t v = plan->vertex_of_row[i];
    if (build->network->vertex_kind[v] == BDAG_VERTEX_INPUT && plan->reaches[i])
      groups_of_rows(plan, members, i, i + 1, NULL);
  }
  plan->input_pulls = plan->pulls - neuron_pulls;
}

bdag_status bdag_build_pulls(bdag_build *build, bdag_error *error) {
  bdag_plan *plan = build->plan;
  const bdag_context *context = build->context;
  bdag_members members = {NULL, NULL};
  bdag_status status = list_members(build, &members);
  if (status != BDAG_OK) goto done;
  all_groups(build, &members);
  plan->pull = bdag_allocate_array(context, plan->pulls, sizeof *plan->pull);
  plan->term = bdag_allocate_array(context, plan->terms, sizeof *plan->term);
  plan->successor = bdag_allocate_array(context, plan->listed, sizeof *plan->successor);
  plan->successor_slot = bdag_allocate_array(context, plan->listed, sizeof *plan->successor_slot);
  if (plan->pull == NULL || plan->term == NULL || plan->successor == NULL ||
      plan->successor_slot == NULL)
    status = BDAG_ERROR_OUT_OF_MEMORY;
  else
    all_groups(build, &members);
done:
  bdag_free(context, members.offset);
  bdag_free(context, members.member);
  return status == BDAG_OK ? BDAG_OK : bdag_fail_memory(error);
}
