/* SPDX-License-Identifier: Apache-2.0 */
/* Watts of nodes and pods: the profile, the nodes' annotations, the GPUs' table, and means. */
#include "decide_fixture.h"

#include "decide/power.h"

#define GIB (INT64_C(1) << 30)

static const struct node *node(const char *labels, const char *annotations, const char *allocatable)
{
	return node_of(parsed(&node_type, arena_printf(&fixture.arena,
						       "{\"metadata\":{\"name\":\"n\",\"labels\":{%s},\"annotations\":"
						       "{%s}},\"status\":{\"allocatable\":{%s}}}",
						       labels, annotations, allocatable)));
}

#define WATTS(idle, peak) "\"loadshift.io/idle-watts\":\"" idle "\",\"loadshift.io/peak-watts\":\"" peak "\""
#define CORES_16 "\"cpu\":\"16\",\"memory\":\"64Gi\""
#define CORES_32_GPUS_4 "\"cpu\":\"32\",\"memory\":\"64Gi\",\"nvidia.com/gpu\":\"4\""

static int64_t pod(const struct node *n, int64_t cpu_milli, int64_t memory_bytes, int64_t gpus)
{
	struct power_model m = power_of_node(n);
	struct pod_requests r = { cpu_milli, memory_bytes, gpus };

	return power_of_pod(&m, &r);
}

static void a_plain_node_has_the_profile(void **state)
{
	(void)state;
	assert_int_equal(pod(node("", "", CORES_16), 4000, 8 * GIB, 0), 40000 + 8 * 400);
	assert_int_equal(pod(node("", "", CORES_16), 0, 0, 0), 0);
	assert_int_equal(pod(node("", "", CORES_16), INT64_MAX, INT64_MAX, INT64_MAX), 1000000000);
}

static void annotations_give_the_share_of_the_range_above_idle(void **state)
{
	const struct node *n = node("", WATTS("80", "240.5"), CORES_16);

	(void)state;
	/* (240.5 W - 80 W) * 4/16; memory is in it. */
	assert_int_equal(pod(n, 4000, 8 * GIB, 0), 40125);
	assert_int_equal(pod(n, 16000, 0, 0), 160500);
	/* A node that draws the same whatever it does: nothing is above idle. */
	assert_int_equal(pod(node("", WATTS("80", "80"), CORES_16), 4000, 0, 0), 0);
}

static void gpus_take_their_part_of_the_range_first(void **state)
{
	static const char t4[] = "\"nvidia.com/gpu.product\":\"Tesla-T4\"";

	(void)state;
	/* 1000 W of range, 4 x 70 W in the GPUs: 720 W are left for 32 cores. */
	const struct node *n = node(t4, WATTS("200", "1200"), CORES_32_GPUS_4);
	assert_int_equal(pod(n, 0, 0, 1), 70000);
	assert_int_equal(pod(n, 8000, 0, 2), 140000 + 180000);
	/* All that the node can hold is all of its range. */
	assert_int_equal(pod(n, 32000, 64 * GIB, 4), 1000000);
	/* A range below the table's watts: the measured one counts. */
	n = node("", WATTS("200", "600"), CORES_32_GPUS_4);
	assert_int_equal(pod(n, 16000, 0, 1), 100000);
}

static int64_t gpu(const char *product)
{
	return pod(node(arena_printf(&fixture.arena, "\"nvidia.com/gpu.product\":\"%s\"", product), "",
			CORES_32_GPUS_4),
		   0, 0, 1) /
	       1000;
}

static void gpus_are_known_by_their_product(void **state)
{
	(void)state;
	assert_int_equal(gpu("NVIDIA-H100-80GB-HBM3"), 700);
	assert_int_equal(gpu("NVIDIA-H100-PCIe"), 350);
	assert_int_equal(gpu("NVIDIA-A100-SXM4-40GB"), 400);
	assert_int_equal(gpu("NVIDIA-A100-PCIE-40GB"), 250);
	assert_int_equal(gpu("NVIDIA-A100-80GB-PCIe"), 300);
	assert_int_equal(gpu("NVIDIA-L4"), 72);
	assert_int_equal(gpu("NVIDIA-L40"), 300);
	assert_int_equal(gpu("NVIDIA-L40S"), 350);
	assert_int_equal(gpu("NVIDIA-A10"), 150);
	assert_int_equal(gpu("Tesla-T4-SHARED"), 70);
	assert_int_equal(gpu("Tesla-V100-SXM2-16GB"), 300);
	/* Not in the table, and no table entry by half its name. */
	assert_int_equal(gpu("NVIDIA-A10G"), 300);
	assert_int_equal(gpu("NVIDIA-A1000"), 300);
	assert_int_equal(gpu("Tesla"), 300);
	assert_int_equal(pod(node("", "", CORES_32_GPUS_4), 0, 0, 1), 300000);
}

static void bad_annotations_are_named_and_ignored(void **state)
{
	static const struct {
		const char *annotations, *words;
	} bad[] = {
		{ WATTS("-1", "100"), "loadshift.io/idle-watts must be a number of watts from 0 to 1000000" },
		{ WATTS("eighty", "100"), "not \"eighty\"" },
		{ WATTS("80", "1000001"), "loadshift.io/peak-watts must be" },
		{ WATTS("80", "1e3"), "loadshift.io/peak-watts must be" },
		{ WATTS("80", ""), "loadshift.io/peak-watts must be" },
		{ WATTS("NaN", "80"), "loadshift.io/idle-watts must be" },
		{ WATTS("100", "99.999"), "loadshift.io/peak-watts is below loadshift.io/idle-watts" },
		{ "\"loadshift.io/peak-watts\":\"9\"", "peak-watts is ignored without loadshift.io/idle-watts" },
		{ "\"loadshift.io/idle-watts\":\"9\"", "idle-watts is ignored without loadshift.io/peak-watts" },
	};
	char text[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		const struct node *n = node("", bad[i].annotations, CORES_16);
		const char *error = power_annotations_error(n, text);

		if (!error || !strstr(error, bad[i].words))
			fail_msg("%s: %s", bad[i].annotations, error ? error : "no error");
		assert_int_equal(pod(n, 4000, 0, 0), 40000);
	}
	assert_null(power_annotations_error(node("", "", CORES_16), text));
	assert_null(power_annotations_error(node("", WATTS("0", "1000000"), CORES_16), text));
	assert_null(power_annotations_error(node("", WATTS(" 80 ", "80"), CORES_16), text));
}

static void assert_near(double is, double wanted)
{
	if (!(is - wanted < 1e-6 && wanted - is < 1e-6))
		fail_msg("%f is not %f", is, wanted);
}

/* The plain way: every core, GiB and GPU of all nodes by itself. */
static void a_mean_is_that_of_all_their_cores_and_gpus(void **state)
{
	static const char *const watts[] = { "", WATTS("100", "500"), WATTS("0", "64"), WATTS("9", "9") };
	static const char *const sizes[] = { CORES_16, CORES_32_GPUS_4, "\"cpu\":\"2\"", "\"memory\":\"1Gi\"" };
	struct power_mean mean = { 0 };
	double core_sum = 0, gib_sum = 0, gpu_sum = 0;
	int n_cores = 0, n_gib = 0, n_gpus = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(watts) * ARRAY_LEN(sizes); i++) {
		const struct node *n = node("", watts[i % 4], sizes[i / 4]);
		struct power_model m = power_of_node(n);

		power_mean_add(&mean, n);
		for (int k = 0; k < n->cpu_milli / 1000; k++, n_cores++)
			core_sum += m.per_core;
		for (int k = 0; k < n->memory_bytes / GIB; k++, n_gib++)
			gib_sum += m.per_gib;
		for (int k = 0; k < n->gpus; k++, n_gpus++)
			gpu_sum += m.per_gpu;
	}
	struct power_model m = power_mean_model(&mean);
	assert_near(m.per_core, core_sum / n_cores);
	assert_near(m.per_gib, gib_sum / n_gib);
	assert_near(m.per_gpu, gpu_sum / n_gpus);
	/* Of nothing: the profile. */
	m = power_mean_model(&(struct power_mean){ 0 });
	assert_near(m.per_core, 10000);
	assert_near(m.per_gib, 400);
	assert_near(m.per_gpu, 300000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_plain_node_has_the_profile),
		TEST(annotations_give_the_share_of_the_range_above_idle),
		TEST(gpus_take_their_part_of_the_range_first),
		TEST(gpus_are_known_by_their_product),
		TEST(bad_annotations_are_named_and_ignored),
		TEST(a_mean_is_that_of_all_their_cores_and_gpus),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
