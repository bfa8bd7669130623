/* XML answers, element by element: see aws_xml.h. */
#include "config.h"

#include "aws/aws_xml.h"

#include <limits.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include <expat.h>

#include "base/buf.h"

/* STS sends keys: nothing that expat held is left behind. */
static void
wipe_free(void *p)
{
	if (p != NULL)
		explicit_bzero(p, malloc_usable_size(p));
	free(p);
}

static void *
wipe_realloc(void *p, size_t n)
{
	void *bigger = malloc(n);
	size_t held = p != NULL ? malloc_usable_size(p) : 0;

	if (bigger == NULL)
		return NULL;
	if (held > 0)
		memcpy(bigger, p, held < n ? held : n);
	wipe_free(p);
	return bigger;
}

static const XML_Memory_Handling_Suite wiping = { malloc, wipe_realloc, wipe_free };

struct reading {
	XML_Parser parser;
	struct buf path, text;
	unsigned depth;
	bool has_children; /* the element that just ended inside this one, or one before it */
	aws_xml_ended_fn *ended;
	void *arg;
	enum err_code code;
	struct err err;
};

static void
stop(struct reading *r, enum err_code code)
{
	r->code = code;
	(void)XML_StopParser(r->parser, XML_FALSE);
}

static void
begin_element(void *arg, const XML_Char *name, const XML_Char **attributes)
{
	struct reading *r = arg;

	(void)attributes;
	if (r->code != ERR_OK)
		return;
	buf_reset(&r->text);
	r->has_children = false;
	if (r->path.len > 0)
		buf_put_u8(&r->path, '/');
	buf_put(&r->path, str_from_cstr(name));
	if (++r->depth > AWS_XML_DEPTH_MAX)
		stop(r, err_set(&r->err, ERR_LIMIT, "XML: elements more than %d deep", AWS_XML_DEPTH_MAX));
	else if (buf_failed(&r->path, &r->err) != ERR_OK)
		stop(r, err_wrap(&r->err, r->err.code, "XML: the names of elements"));
}

static void
leave_path(struct reading *r)
{
	struct str path = buf_str(&r->path);

	r->path.len = path.len - str_after_last(path, '/').len;
	if (r->path.len > 0)
		r->path.len--;
}

static void
end_element(void *arg, const XML_Char *name)
{
	struct reading *r = arg;
	struct str text = r->has_children ? STR("") : str_trim(buf_str(&r->text));
	enum err_code code;

	(void)name;
	if (r->code != ERR_OK)
		return;
	code = r->ended(r->arg, buf_str(&r->path), text, &r->err);
	r->depth--;
	leave_path(r);
	buf_reset(&r->text);
	r->has_children = true;
	if (code != ERR_OK)
		stop(r, code);
}

static void
take_text(void *arg, const XML_Char *bytes, int n)
{
	struct reading *r = arg;

	if (r->code != ERR_OK)
		return;
	buf_put(&r->text, str_of(bytes, (size_t)n));
	if (buf_failed(&r->text, &r->err) != ERR_OK)
		stop(r, err_wrap(&r->err, r->err.code, "XML: the text of an element"));
}

static void
refuse_doctype(void *arg, const XML_Char *name, const XML_Char *system, const XML_Char *public_, int has_subset)
{
	struct reading *r = arg;

	(void)name;
	(void)system;
	(void)public_;
	(void)has_subset;
	if (r->code == ERR_OK)
		stop(r, err_set(&r->err, ERR_PARSE, "XML: a document type, which no answer of AWS has"));
}

static enum err_code
run(struct reading *r, struct str xml)
{
	if (xml.len > INT_MAX)
		return err_set(&r->err, ERR_LIMIT, "XML: too long");
	XML_SetUserData(r->parser, r);
	XML_SetElementHandler(r->parser, begin_element, end_element);
	XML_SetCharacterDataHandler(r->parser, take_text);
	XML_SetStartDoctypeDeclHandler(r->parser, refuse_doctype);
	if (XML_Parse(r->parser, xml.len > 0 ? xml.ptr : "", (int)xml.len, XML_TRUE) == XML_STATUS_OK)
		return r->code;
	if (r->code != ERR_OK)
		return r->code;
	if (XML_GetErrorCode(r->parser) == XML_ERROR_NO_MEMORY)
		return err_set(&r->err, ERR_NOMEM, "XML: %s", err_text(ERR_NOMEM));
	return err_set(&r->err, ERR_PARSE, "XML: %s (line %lu)", XML_ErrorString(XML_GetErrorCode(r->parser)),
	    (unsigned long)XML_GetCurrentLineNumber(r->parser));
}

enum err_code
aws_xml_read(struct str xml, aws_xml_ended_fn *ended, void *arg, struct err *e)
{
	struct reading r = {
		.parser = XML_ParserCreate_MM("UTF-8", &wiping, NULL),
		.path = buf_make(AWS_XML_PATH_MAX),
		.text = buf_make(AWS_XML_TEXT_MAX),
		.ended = ended,
		.arg = arg,
	};
	enum err_code code;

	if (r.parser == NULL)
		return err_set(e, ERR_NOMEM, "XML: %s", err_text(ERR_NOMEM));
	code = run(&r, xml);
	XML_ParserFree(r.parser);
	buf_free(&r.path);
	buf_wipe(&r.text); /* STS sends keys */
	if (code != ERR_OK && e != NULL)
		*e = r.err;
	return code;
}
