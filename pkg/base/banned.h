/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Functions that are never used here, as compile errors; forced into every file by the Makefile (-include).
 * The reasons: unbounded writes, hidden state, locale, or silent errors.
 */
#ifndef BASE_BANNED_H
#define BASE_BANNED_H

/* The system headers that declare them come first, so that their own declarations still compile. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define BANNED(func) use_of_##func##_is_banned_see_base_banned_h

#undef strcpy
#define strcpy(x, y) BANNED(strcpy)
#undef strcat
#define strcat(x, y) BANNED(strcat)
#undef strncpy
#define strncpy(x, y, n) BANNED(strncpy)
#undef strncat
#define strncat(x, y, n) BANNED(strncat)
#undef strtok
#define strtok(x, y) BANNED(strtok)
#undef sprintf
#define sprintf(...) BANNED(sprintf)
#undef vsprintf
#define vsprintf(...) BANNED(vsprintf)
#undef sscanf
#define sscanf(...) BANNED(sscanf)
#undef atoi
#define atoi(x) BANNED(atoi)
#undef atol
#define atol(x) BANNED(atol)
#undef atof
#define atof(x) BANNED(atof)
#undef gmtime
#define gmtime(x) BANNED(gmtime)
#undef localtime
#define localtime(x) BANNED(localtime)
#undef mktime
#define mktime(x) BANNED(mktime)
#undef ctime
#define ctime(x) BANNED(ctime)
#undef asctime
#define asctime(x) BANNED(asctime)
#undef rand
#define rand() BANNED(rand)
#undef gets
#define gets(x) BANNED(gets)
#undef alloca
#define alloca(x) BANNED(alloca)

#endif
