/* What the compiler should know about a function. */
#pragma once

/* The answer says whether it worked: it may not be thrown away. */
#define MUST_USE __attribute__((warn_unused_result))

/* Argument `f` is a printf format, its values start at argument `v`. */
#define PRINTF_LIKE(f, v) __attribute__((format(printf, f, v)))

#define LIKELY(x)   __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

/* Whether AddressSanitizer watches this build. */
#if defined(__SANITIZE_ADDRESS__)
#define HAS_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_ASAN 1
#endif
#endif
#ifndef HAS_ASAN
#define HAS_ASAN 0
#endif

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* The object of `type` whose member `member` is at `pointer`. */
#define CONTAINER_OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))
