/*
 * Labels: what a container's docker labels ask for, in one form for all dialects.  Pure.
 *
 * rollcall's own labels, Traefik v1's (segments too) and v2/v3's become endpoints: each
 * has settings, and routers whose rules are places in an entrypoint's map.  Nothing
 * fails open: a label that can't be honoured leaves a note, and one that restricts keeps
 * its router out, unless the operator names it in allow_unhonoured.
 *
 * Every value is hostile: bounded, and taken by whitelist.  What is read is the same for
 * all tasks of a revision; whose names and hosts may be claimed is decided in plan/.
 *
 * The parts: label_expr (the language), label_rule (rules), label_constraint,
 * label_settings (values), label_rollcall, label_traefik and label_traefik1 (dialects).
 */
#ifndef LABEL_LABEL_H
#define LABEL_LABEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "conf/conf.h"
#include "ecs/taskdef.h"
#include "label/label_rule.h"
#include "label/label_settings.h"

#define LABEL_ENDPOINTS_MAX   16
#define LABEL_ROUTERS_MAX     32 /* of one container */
#define LABEL_ENTRYPOINTS_MAX 16 /* of one router */
#define LABEL_NOTES_MAX       200

/* name, text: what became of a label that was not simply honoured */
#define LABEL_FATES(X)                \
	X(IGNORED, "ignored")         \
	X(PASSED_OVER, "passed over") \
	X(UNHONOURED, "not honoured") \
	X(BAD, "refused")

/*
 * IGNORED: without effect here, and harmless.  PASSED_OVER: it restricts, and the
 * operator allows to ignore it.  UNHONOURED: it restricts, and keeps its router out.
 * BAD: its value is none.
 */
enum label_fate {
#define X(name, text) LABEL_##name,
	LABEL_FATES(X)
#undef X
	/* must stay last */
	LABEL_N_FATES
};

struct label_note {
	struct str label; /* as its owner wrote it; printable, cut */
	enum label_fate fate;
	struct str reason; /* one printable sentence */
};

struct label_refusal {
	bool is_refused, is_bad; /* is_bad: a value that is none, else UNHONOURED */
	struct str message;      /* names the label */
};

struct label_router {
	struct str label; /* that of its rule; empty: the rule is still to be found (default_rule) */
	const struct label_place *places;
	size_t n;
	const struct str *entrypoints; /* names of the configuration; at least one */
	size_t n_entrypoints;
	unsigned priority; /* 0: not said */
	struct label_refusal refusal;
};

struct label_endpoint {
	struct str name; /* NAME of rollcall.endpoints.NAME and the like; or empty */
	struct label_settings settings;
	const struct label_router *routers;
	size_t n_routers;
	bool is_disabled;             /* by its own enable=false */
	struct label_refusal refusal; /* of a setting */
};

enum label_enable { LABEL_ENABLE_UNSAID, LABEL_ENABLE_YES, LABEL_ENABLE_NO };

struct label_set {
	enum label_enable enable;
	bool is_traefik; /* only Traefik's labels speak: its defaults hold */
	bool is_empty;   /* no label of a dialect that is read */
	const struct label_endpoint *endpoints;
	size_t n_endpoints;
	const struct label_note *notes;
	size_t n_notes;
	size_t counts[LABEL_N_FATES]; /* of notes, with those for which there was no room */
};

struct label_rules {
	struct conf_list dialects;         /* of the source: rollcall, traefik */
	struct conf_list allow_unhonoured; /* names or globs of labels */
	struct conf_pairs entrypoints;
};

/* Of the labels of one container.  False: the arena refuses. */
NODISCARD bool label_read(struct arena *a, const struct label_rules *rules, const struct taskdef_label *labels,
    size_t n, const struct label_set **ret);
/* A router by a rule that no label holds (default_rule); its refusal says what is wrong with it. */
NODISCARD bool label_router_of_rule(
    struct arena *a, const struct label_rules *rules, struct str rule, struct label_router *ret);
const char *label_fate_name(enum label_fate fate);

#endif
