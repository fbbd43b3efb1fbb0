/* SPDX-License-Identifier: BSD-3-Clause */
/* test_filter.c - the door: compile, run, run a burst, choose a back end, ancillary values. */
#include "jit/filter.h"
#include "jit/ancillary.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <cmocka.h>

/* Keeps the packet's fifth byte's worth of bytes; rejects packets of fewer than five. */
static const struct npf_bpf_insn fifth_byte[] = {{OP_LD_B_ABS, 0, 0, 4}, {OP_RET_A}};

static void a_filter_gives_the_number_of_bytes_to_keep(void **state)
{
	const uint8_t pkt[] = {1, 2, 3, 4, 99};
	struct npf_filter *f = NULL;

	(void)state;
	assert_int_equal(npf_filter_compile(fifth_byte, 2, NULL, &f, NULL), 0);
	assert_int_equal(npf_filter_run(f, pkt, 5, 5), 99);
	assert_int_equal(npf_filter_run(f, pkt, 5, 4), 0);
	assert_null(npf_filter_free(f));
}

static void a_burst_gives_what_single_runs_give(void **state)
{
	uint8_t bytes[67][5] = {{0}};
	const uint8_t *pkts[67];
	uint32_t lens[67], caplens[67], results[67 + 1];
	struct npf_filter *f = NULL;

	(void)state;
	for (uint32_t i = 0; i < 67; i++) {
		bytes[i][4] = (uint8_t)(i + 1);
		pkts[i] = bytes[i];
		lens[i] = 100;
		caplens[i] = i % 6;
	}
	assert_int_equal(npf_filter_compile(fifth_byte, 2, NULL, &f, NULL), 0);
	for (uint32_t n = 0; n <= 67; n++) {
		memset(results, 0xee, sizeof(results));
		npf_filter_run_burst(f, pkts, lens, caplens, n, results);
		for (uint32_t i = 0; i < n; i++)
			assert_int_equal(results[i], i % 6 == 5 ? i + 1 : 0);
		assert_int_equal(results[n], 0xeeeeeeee);
	}
	npf_filter_free(f);
}

static void the_length_is_that_on_the_wire(void **state)
{
	static const struct npf_bpf_insn length[] = {{OP_LD_LEN}, {OP_RET_A}};
	const uint8_t pkt[5] = {0};
	const uint8_t *const pkts[2] = {pkt, pkt};
	const uint32_t lens[2] = {100, 200}, caplens[2] = {5, 4};
	uint32_t results[2];

	(void)state;
	for (unsigned int b = 0; b < 2; b++) {
		const struct npf_filter_opts opts = {
			.backend = b != 0 ? NPF_BACKEND_INTERP : NPF_BACKEND_AUTO};
		struct npf_filter *f = NULL;

		assert_int_equal(npf_filter_compile(length, 2, &opts, &f, NULL), 0);
		assert_int_equal(npf_filter_run(f, pkt, 100, 5), 100);
		npf_filter_run_burst(f, pkts, lens, caplens, 2, results);
		assert_int_equal(results[0], 100);
		assert_int_equal(results[1], 200);
		npf_filter_free(f);
	}
}

static void a_filter_keeps_its_own_copy_of_the_program(void **state)
{
	struct npf_bpf_insn prog[] = {{OP_RET_K, 0, 0, 7}};
	struct npf_bpf_aux aux = {.ifindex = 3};
	const struct npf_filter_opts opts = {.backend = NPF_BACKEND_INTERP, .aux = &aux};
	const struct npf_bpf_insn ifindex[] = {{OP_LD_W_ABS, 0, 0, NPF_AD_IFINDEX}, {OP_RET_A}};
	struct npf_filter *f = NULL;

	(void)state;
	assert_int_equal(npf_filter_compile(prog, 1, NULL, &f, NULL), 0);
	prog[0].k = 8;
	assert_int_equal(npf_filter_run(f, NULL, 0, 0), 7);
	npf_filter_free(f);
	assert_int_equal(npf_filter_compile(ifindex, 2, &opts, &f, NULL), 0);
	aux.ifindex = 4;
	assert_int_equal(npf_filter_run(f, NULL, 0, 0), 3);
	npf_filter_free(f);
}

static void a_wrong_program_is_refused_with_its_place(void **state)
{
	const struct npf_bpf_insn prog[] = {{OP_TAX}, {OP_DIV_K}, {OP_RET_A}};
	struct npf_bpf_error err = {0};
	struct npf_filter *f = NULL;

	(void)state;
	assert_int_equal(npf_filter_compile(prog, 3, NULL, &f, &err), -EINVAL);
	assert_int_equal(err.pc, 1);
	assert_string_equal(err.reason, "divides by zero");
	assert_null(f);
}

static void ancillary_loads_are_constants_with_aux_and_out_of_range_without(void **state)
{
	static const uint16_t sizes[] = {OP_LD_B_ABS, OP_LD_H_ABS, OP_LD_W_ABS};
	static const struct {
		uint32_t k, result;
	} loads[] = {
		{NPF_AD_PKTTYPE, 1004},
		{NPF_AD_IFINDEX, 1000 + 70000},
		{NPF_AD_VLAN_TAG, 1000},
		{NPF_AD_VLAN_TAG_PRESENT, 1000},
		{NPF_AD_OFF, 0},
		{NPF_AD_OFF + 5, 0},
		{0xffffffff, 0},
	};
	const struct npf_bpf_aux aux = {.pkttype = 4, .ifindex = 70000};
	const uint8_t pkt[64] = {0};

	(void)state;
	for (size_t i = 0; i < NPF_ARRAY_LEN(loads) * 6; i++) {
		const struct npf_filter_opts with = {
			.aux = &aux, .backend = i % 2 != 0 ? NPF_BACKEND_INTERP : NPF_BACKEND_AUTO};
		const struct npf_bpf_insn prog[] = {
			{sizes[i % 3], 0, 0, loads[i / 6].k}, {OP_ADD_K, 0, 0, 1000}, {OP_RET_A}};
		struct npf_filter *f = NULL;

		assert_int_equal(npf_filter_compile(prog, 3, &with, &f, NULL), 0);
		assert_int_equal(npf_filter_run(f, pkt, 64, 64), loads[i / 6].result);
		npf_filter_free(f);
		assert_int_equal(npf_filter_compile(prog, 3, NULL, &f, NULL), 0);
		assert_int_equal(npf_filter_run(f, pkt, 64, 64), 0);
		npf_filter_free(f);
	}
}

static void the_automatic_choice_is_native_code_where_it_is_to_be_had(void **state)
{
	const struct npf_filter_opts scalar = {.backend = NPF_BACKEND_SCALAR};
	struct npf_filter *f = NULL;

	(void)state;
#ifdef __x86_64__
	assert_int_equal(npf_filter_compile(fifth_byte, 2, NULL, &f, NULL), 0);
	assert_int_equal(npf_filter_backend(f), NPF_BACKEND_SCALAR);
	npf_filter_free(f);
	assert_int_equal(npf_filter_compile(fifth_byte, 2, &scalar, &f, NULL), 0);
	assert_int_equal(npf_filter_backend(f), NPF_BACKEND_SCALAR);
	npf_filter_free(f);
#else
	assert_int_equal(npf_filter_compile(fifth_byte, 2, &scalar, &f, NULL), -ENOTSUP);
#endif
}

/*
 * Refuse mprotect() with all these rights to this thread and its children. PROT_EXEC: as
 * MemoryDenyWriteExecute= does.
 */
static int deny_memory(uint32_t rights)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mprotect, 0, 4),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, rights),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, rights, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog prog = {NPF_ARRAY_LEN(code), code};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog);
}

/* Pages of address space. */
static unsigned long pages_mapped(void)
{
	unsigned long pages = 0;
	FILE *statm = fopen("/proc/self/statm", "r");

	if (statm == NULL || fscanf(statm, "%lu", &pages) != 1)
		pages = 0;
	if (statm != NULL)
		fclose(statm);
	return pages;
}

static int run_without_executable_memory(void)
{
	const struct npf_filter_opts scalar = {.backend = NPF_BACKEND_SCALAR};
	const uint8_t pkt[] = {1, 2, 3, 4, 99};
	struct npf_filter *f = NULL;
	unsigned long pages;

	if (deny_memory(PROT_EXEC) < 0)
		return 2;
	pages = pages_mapped();
	for (unsigned int i = 0; i < 4; i++)
		npf_filter_compile(fifth_byte, 2, &scalar, &f, NULL);
	if (pages_mapped() > pages + 1024)
		return 7;
	if (npf_filter_compile(fifth_byte, 2, &scalar, &f, NULL) != -ENOTSUP)
		return 3;
	if (npf_filter_compile(fifth_byte, 2, NULL, &f, NULL) != 0)
		return 4;
	if (npf_filter_backend(f) != NPF_BACKEND_INTERP)
		return 5;
	if (npf_filter_run(f, pkt, 5, 5) != 99)
		return 6;
	npf_filter_free(f);
	return 0;
}

static void without_executable_memory_the_automatic_choice_is_the_interpreter(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(run_without_executable_memory());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static int run_without_memory_of_both_rights(void)
{
	const struct npf_filter_opts scalar = {.backend = NPF_BACKEND_SCALAR};
	struct npf_filter *f = NULL;

	if (deny_memory(PROT_WRITE | PROT_EXEC) < 0)
		return 2;
	return npf_filter_compile(fifth_byte, 2, &scalar, &f, NULL) == 0 ? 0 : 3;
}

/* Not for the moment in which it is written, either. */
static void code_needs_no_memory_that_is_writable_and_executable(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(run_without_memory_of_both_rights());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void a_filter_that_goes_leaves_no_address_space_behind(void **state)
{
	const unsigned long pages = pages_mapped();

	(void)state;
	for (unsigned int i = 0; i < 4; i++) {
		struct npf_filter *f = NULL;

		assert_int_equal(npf_filter_compile(fifth_byte, 2, NULL, &f, NULL), 0);
		npf_filter_free(f);
	}
	assert_true(pages_mapped() <= pages + 1024);
}

static bool any_mapping_is_writable_and_executable(void)
{
	char line[512];
	bool found = false;
	FILE *maps = fopen("/proc/self/maps", "r");

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps) != NULL)
		found |= strstr(line, " rwx") != NULL || strstr(line, " -wx") != NULL;
	fclose(maps);
	return found;
}

static void code_is_never_writable_and_executable(void **state)
{
	struct npf_filter *f = NULL;

	(void)state;
	assert_int_equal(npf_filter_compile(fifth_byte, 2, NULL, &f, NULL), 0);
	assert_false(any_mapping_is_writable_and_executable());
	npf_filter_free(f);
}

/* The mapping that holds `at` and its neighbours, as they touch it: bytes of each that can't be
 * read.
 */
static void find_guards(const void *at, size_t *before, size_t *behind)
{
	unsigned long begin, end, last_begin = 0, last_end = 0, code_end = 0;
	char line[512], rights[5], last_rights[5] = "";
	FILE *maps = fopen("/proc/self/maps", "r");

	*before = *behind = 0;
	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps) != NULL) {
		assert_int_equal(sscanf(line, "%lx-%lx %4s", &begin, &end, rights), 3);
		if (begin <= (uintptr_t)at && (uintptr_t)at < end) {
			code_end = end;
			if (last_end == begin && strcmp(last_rights, "---p") == 0)
				*before = last_end - last_begin;
		} else if (begin == code_end && strcmp(rights, "---p") == 0) {
			*behind = end - begin;
		}
		last_begin = begin;
		last_end = end;
		memcpy(last_rights, rights, sizeof(rights));
	}
	fclose(maps);
}

static void no_index_of_32_bits_leads_from_a_table_to_memory_that_can_be_read(void **state)
{
	struct npf_filter *f[2];
	size_t before, behind;

	(void)state;
	for (unsigned int i = 0; i < 2; i++)
		assert_int_equal(npf_filter_compile(fifth_byte, 2, NULL, &f[i], NULL), 0);
	for (unsigned int i = 0; i < 2; i++) {
		find_guards(f[i]->code.at, &before, &behind);
		assert_true(before >= 65536);
		assert_true(behind >= 4ull << 32);
		npf_filter_free(f[i]);
	}
}

static int run_in_little_address_space(void)
{
	const struct npf_filter_opts scalar = {.backend = NPF_BACKEND_SCALAR};
	const uint8_t pkt[] = {1, 2, 3, 4, 99};
	const unsigned long pages = pages_mapped();
	struct rlimit limit;
	struct npf_filter *f = NULL;

	if (pages == 0)
		return 2;
	limit.rlim_cur = limit.rlim_max = pages * (rlim_t)sysconf(_SC_PAGESIZE) + (64 << 20);
	if (setrlimit(RLIMIT_AS, &limit) < 0)
		return 3;
	if (npf_filter_compile(fifth_byte, 2, &scalar, &f, NULL) != 0)
		return 4;
	return npf_filter_run(f, pkt, 5, 5) == 99 ? 0 : 5;
}

static void code_is_made_where_address_space_is_short(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(run_in_little_address_space());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void back_ends_that_are_not_built_say_so(void **state)
{
	const struct npf_filter_opts opts = {.backend = NPF_N_BACKENDS};
	struct npf_filter *f = NULL;

	(void)state;
	assert_int_equal(npf_filter_compile(fifth_byte, 2, &opts, &f, NULL), -ENOTSUP);
}

static void the_environment_names_a_back_end(void **state)
{
	enum npf_backend b;

	(void)state;
	unsetenv("NPF_JIT");
	assert_int_equal(npf_backend_from_env(&b), 0);
	assert_int_equal(b, NPF_BACKEND_AUTO);
	setenv("NPF_JIT", "", 1);
	assert_int_equal(npf_backend_from_env(&b), 0);
	assert_int_equal(b, NPF_BACKEND_AUTO);
	for (unsigned int i = 0; i < NPF_N_BACKENDS; i++) {
		setenv("NPF_JIT", npf_backend_name((enum npf_backend)i), 1);
		assert_int_equal(npf_backend_from_env(&b), 0);
		assert_int_equal(b, i);
	}
	setenv("NPF_JIT", "sse9", 1);
	assert_int_equal(npf_backend_from_env(&b), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_filter_gives_the_number_of_bytes_to_keep),
		cmocka_unit_test(a_burst_gives_what_single_runs_give),
		cmocka_unit_test(the_length_is_that_on_the_wire),
		cmocka_unit_test(a_filter_keeps_its_own_copy_of_the_program),
		cmocka_unit_test(a_wrong_program_is_refused_with_its_place),
		cmocka_unit_test(ancillary_loads_are_constants_with_aux_and_out_of_range_without),
		cmocka_unit_test(the_automatic_choice_is_native_code_where_it_is_to_be_had),
		cmocka_unit_test(without_executable_memory_the_automatic_choice_is_the_interpreter),
		cmocka_unit_test(code_needs_no_memory_that_is_writable_and_executable),
		cmocka_unit_test(a_filter_that_goes_leaves_no_address_space_behind),
		cmocka_unit_test(code_is_never_writable_and_executable),
		cmocka_unit_test(no_index_of_32_bits_leads_from_a_table_to_memory_that_can_be_read),
		cmocka_unit_test(code_is_made_where_address_space_is_short),
		cmocka_unit_test(back_ends_that_are_not_built_say_so),
		cmocka_unit_test(the_environment_names_a_back_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
