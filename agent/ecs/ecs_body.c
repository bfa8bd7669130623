/* The bodies of the calls we make to ECS: see ecs_body.h. */
#include "config.h"

#include "ecs/ecs_body.h"

void
ecs_body_text(struct buf *b, struct str s)
{
	size_t from = 0;

	buf_put_u8(b, '"');
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.ptr[i];

		if (c != '"' && c != '\\' && c >= 0x20)
			continue;
		buf_put(b, str_of(s.ptr + from, i - from));
		buf_printf(b, "\\u%04x", c);
		from = i + 1;
	}
	buf_put(b, str_skip(s, from));
	buf_put_u8(b, '"');
}

void
ecs_body_list_tasks(struct buf *b, struct str cluster, struct str token)
{
	buf_put(b, STR("{\"cluster\":"));
	ecs_body_text(b, cluster);
	buf_printf(b, ",\"maxResults\":%d", ECS_BODY_PAGE);
	if (token.len > 0) {
		buf_put(b, STR(",\"nextToken\":"));
		ecs_body_text(b, token);
	}
	buf_put_u8(b, '}');
}

void
ecs_body_list_clusters(struct buf *b, struct str token)
{
	buf_printf(b, "{\"maxResults\":%d", ECS_BODY_PAGE);
	if (token.len > 0) {
		buf_put(b, STR(",\"nextToken\":"));
		ecs_body_text(b, token);
	}
	buf_put_u8(b, '}');
}

void
ecs_body_cluster(struct buf *b, struct str cluster)
{
	buf_put(b, STR("{\"clusters\":["));
	ecs_body_text(b, cluster);
	buf_put(b, STR("]}"));
}

void
ecs_body_describe_clusters(struct buf *b, struct str cluster)
{
	buf_put(b, STR("{\"clusters\":["));
	ecs_body_text(b, cluster);
	buf_put(b, STR("]}"));
}

void
ecs_body_task_definition(struct buf *b, struct str arn)
{
	buf_put(b, STR("{\"taskDefinition\":"));
	ecs_body_text(b, arn);
	buf_put_u8(b, '}');
}

void
ecs_body_describe_begin(struct buf *b, struct str cluster)
{
	buf_put(b, STR("{\"cluster\":"));
	ecs_body_text(b, cluster);
	buf_put(b, STR(",\"tasks\":["));
}

void
ecs_body_item(struct buf *b, bool is_first, struct str text)
{
	if (!is_first)
		buf_put_u8(b, ',');
	ecs_body_text(b, text);
}

void
ecs_body_instances_begin(struct buf *b, struct str cluster)
{
	buf_put(b, STR("{\"cluster\":"));
	ecs_body_text(b, cluster);
	buf_put(b, STR(",\"containerInstances\":["));
}

void
ecs_body_services_begin(struct buf *b, struct str cluster)
{
	buf_put(b, STR("{\"cluster\":"));
	ecs_body_text(b, cluster);
	buf_put(b, STR(",\"services\":["));
}

void
ecs_body_managed_begin(struct buf *b)
{
	buf_put(b, STR("{\"Filters\":[{\"Key\":\"InstanceIds\",\"Values\":["));
}

void
ecs_body_managed_end(struct buf *b, struct str token)
{
	buf_printf(b, "]}],\"MaxResults\":%d", ECS_BODY_MANAGED_PAGE);
	if (token.len > 0) {
		buf_put(b, STR(",\"NextToken\":"));
		ecs_body_text(b, token);
	}
	buf_put_u8(b, '}');
}

void
ecs_body_describe_end(struct buf *b)
{
	buf_put(b, STR("]}"));
}
