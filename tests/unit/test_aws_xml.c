/* XML answers, element by element. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "aws/aws_xml.h"
#include "base/buf.h"

struct seen {
	struct buf log; /* "PATH=TEXT;" */
	int left;       /* elements until we refuse; -1: never */
};

static enum err_code
see(void *arg, struct str path, struct str text, struct err *e)
{
	struct seen *s = arg;

	if (s->left == 0)
		return err_set(e, ERR_REFUSED, "enough");
	s->left -= s->left > 0;
	buf_put(&s->log, path);
	buf_put_u8(&s->log, '=');
	buf_put(&s->log, text);
	buf_put_u8(&s->log, ';');
	return ERR_OK;
}

static enum err_code
read_log(const char *xml, const char *want)
{
	struct seen s = { .log = buf_make(100000), .left = -1 };
	struct err e = ERR_INIT;
	enum err_code code = aws_xml_read(str_from_cstr(xml), see, &s, &e);

	if (want != NULL) {
		assert_int_equal(s.log.len, strlen(want));
		assert_memory_equal(s.log.ptr, want, s.log.len);
	}
	assert_int_equal(e.code, code);
	buf_free(&s.log);
	return code;
}

static void
elements_are_told_children_first_with_path_and_text(void **state)
{
	(void)state;
	assert_int_equal(
	    read_log("<?xml version=\"1.0\"?>\n<R xmlns=\"urn:x\">\n <set>\n  <item><id>i-1</id><ip a='b'> 10.0.0.1 "
		     "</ip></item>\n  <item><id>i-2</id><none/></item></set>\n</R>",
		"R/set/item/id=i-1;R/set/item/ip=10.0.0.1;R/set/item=;R/set/item/id=i-2;R/set/item/none=;"
		"R/set/item=;R/set=;R=;"),
	    ERR_OK);
}

static void
what_stands_between_the_children_of_an_element_is_no_text(void **state)
{
	(void)state;
	assert_int_equal(read_log("<a>x<b>1</b>y</a>", "a/b=1;a=;"), ERR_OK);
}

static void
entities_and_cdata_are_text(void **state)
{
	(void)state;
	assert_int_equal(read_log("<a>1 &lt; 2 &amp;&#38; <![CDATA[<b>]]></a>", "a=1 < 2 && <b>;"), ERR_OK);
}

static void
what_is_not_well_formed_is_refused(void **state)
{
	static const char *const cases[] = { "", "<", "<a>", "<a></b>", "{}", "<a/><b/>", "<a>&unknown;</a>",
		"<a>\xff</a>", "<!DOCTYPE a><a/>", "<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>",
		"<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a/>" };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(read_log(cases[i], NULL), ERR_PARSE);
}

static void
put_times(struct buf *out, const char *text, int n)
{
	while (n-- > 0)
		buf_put(out, str_from_cstr(text));
}

static enum err_code
read_deep(int depth, const char *name_open, const char *name_close, size_t text)
{
	struct buf xml = buf_make(1 << 20);
	struct seen s = { .log = buf_make(1 << 20), .left = -1 };
	enum err_code code;

	put_times(&xml, name_open, depth);
	for (size_t i = 0; i < text; i++)
		buf_put_u8(&xml, 'x');
	put_times(&xml, name_close, depth);
	code = aws_xml_read(buf_str(&xml), see, &s, NULL);
	buf_free(&xml);
	buf_free(&s.log);
	return code;
}

static void
depth_names_and_text_have_limits(void **state)
{
	char open[303] = "<", close[304] = "</";

	(void)state;
	memset(open + 1, 'n', 300);
	open[301] = '>';
	memset(close + 2, 'n', 300);
	close[302] = '>';
	assert_int_equal(read_deep(AWS_XML_DEPTH_MAX, "<a>", "</a>", 1), ERR_OK);
	assert_int_equal(read_deep(AWS_XML_DEPTH_MAX + 1, "<a>", "</a>", 1), ERR_LIMIT);
	assert_int_equal(read_deep(3, open, close, 1), ERR_OK);
	assert_int_equal(read_deep(4, open, close, 1), ERR_LIMIT);
	assert_int_equal(read_deep(1, "<a>", "</a>", AWS_XML_TEXT_MAX), ERR_OK);
	assert_int_equal(read_deep(1, "<a>", "</a>", AWS_XML_TEXT_MAX + 1), ERR_LIMIT);
}

static void
who_reads_may_stop_with_an_error(void **state)
{
	struct seen s = { .log = buf_make(1000), .left = 1 };
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(aws_xml_read(STR("<a><b>1</b><c>2</c><d>3</d></a>"), see, &s, &e), ERR_REFUSED);
	assert_string_equal(e.msg, "enough");
	assert_int_equal(s.log.len, strlen("a/b=1;"));
	buf_free(&s.log);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(elements_are_told_children_first_with_path_and_text),
		cmocka_unit_test(what_stands_between_the_children_of_an_element_is_no_text),
		cmocka_unit_test(entities_and_cdata_are_text),
		cmocka_unit_test(what_is_not_well_formed_is_refused),
		cmocka_unit_test(depth_names_and_text_have_limits),
		cmocka_unit_test(who_reads_may_stop_with_an_error),
	};

	return cmocka_run_group_tests_name("aws_xml", tests, NULL, NULL);
}
