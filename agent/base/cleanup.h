/* Scope-bound release and the few compiler attributes we allow ourselves. */
#ifndef BASE_CLEANUP_H
#define BASE_CLEANUP_H

#include <stddef.h>

#define NODISCARD              __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define CLEANUP(fn)            __attribute__((cleanup(fn)))

/* Declares fn_at(T *p), which calls fn(*p); fn must accept a null pointer. */
#define CLEANUP_DEFINE(type, fn)             \
	static inline void fn##_at(type **p) \
	{                                    \
		fn(*p);                      \
	}                                    \
	struct cleanup_##fn##_swallows_semicolon

/* Hands the value out of a CLEANUP variable: the variable becomes NULL. */
#define MOVE(p)                             \
	__extension__({                     \
		__typeof__(p) moved_ = (p); \
		(p) = NULL;                 \
		moved_;                     \
	})

#endif
