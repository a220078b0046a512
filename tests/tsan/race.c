/* SPDX-License-Identifier: Apache-2.0 */
/* A data race on purpose, in a store-like shared counter: `make tsan` fails unless ThreadSanitizer reports it. */
#include <pthread.h>
#include <stdio.h>

static int counter;

static void *add(void *arg)
{
	(void)arg;
	for (int i = 0; i < 1000; i++)
		counter++;
	return NULL;
}

int main(void)
{
	pthread_t a, b;

	if (pthread_create(&a, NULL, add, NULL) || pthread_create(&b, NULL, add, NULL))
		return 2;
	(void)pthread_join(a, NULL);
	(void)pthread_join(b, NULL);
	(void)printf("%d\n", counter);
	return 0;
}
