/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_x86.c - every instruction form, with every register, says to capstone what it is meant to
 * say.
 *
 * The expected text is put together from the names of registers here, so that a wrong byte in any
 * prefix, ModRM, SIB or displacement shows.
 */
#include "jit/x86/x86.h"

#include <capstone/capstone.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static const char *const r64[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8",
	"r9", "r10", "r11", "r12", "r13", "r14", "r15"};
static const char *const r32[] = {"eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi", "r8d",
	"r9d", "r10d", "r11d", "r12d", "r13d", "r14d", "r15d"};
static const char *const r16[] = {"ax", "cx", "dx", "bx", "sp", "bp", "si", "di", "r8w", "r9w",
	"r10w", "r11w", "r12w", "r13w", "r14w", "r15w"};
static const char *const r8[] = {"al", "cl", "dl", "bl", "spl", "bpl", "sil", "dil", "r8b", "r9b",
	"r10b", "r11b", "r12b", "r13b", "r14b", "r15b"};

static csh cs;

static void expect(struct x86 *x, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* What was written since the last call is one instruction, and reads so. */
static void expect(struct x86 *x, const char *fmt, ...)
{
	char want[128], got[300];
	cs_insn *in = NULL;
	va_list ap;
	size_t n;

	va_start(ap, fmt);
	vsnprintf(want, sizeof(want), fmt, ap);
	va_end(ap);
	assert_false(x->failed);
	n = cs_disasm(cs, x->code, x->len, 0x1000, 0, &in);
	if (n != 1 || in->size != x->len)
		fail_msg("%s: %zu instructions in %zu bytes", want, n, x->len);
	snprintf(got, sizeof(got), "%s%s%s", in->mnemonic, *in->op_str ? " " : "", in->op_str);
	cs_free(in, n);
	assert_string_equal(got, want);
	x->len = 0;
}

/* As capstone writes a signed displacement behind registers. */
static const char *disp_text(int32_t d)
{
	static char text[4][24];
	static unsigned int turn;
	char *to = text[turn++ % 4];
	const uint32_t size = d < 0 ? 0u - (uint32_t)d : (uint32_t)d;

	if (d == 0)
		*to = '\0';
	else
		snprintf(to, sizeof(text[0]), size < 10 ? " %c %u" : " %c 0x%x", d < 0 ? '-' : '+',
			size);
	return to;
}

static const char *mem_text(struct x86_mem m)
{
	static char text[64];
	char index[24] = "";

	if (m.index != X86_NO_REG && m.scale > 1)
		snprintf(index, sizeof(index), " + %s*%u", r64[m.index], m.scale);
	else if (m.index != X86_NO_REG)
		snprintf(index, sizeof(index), " + %s", r64[m.index]);
	snprintf(text, sizeof(text), "[%s%s%s]", r64[m.base], index, disp_text(m.disp));
	return text;
}

static const char *num(uint32_t k)
{
	static char text[4][16];
	static unsigned int turn;
	char *to = text[turn++ % 4];

	snprintf(to, sizeof(text[0]), k < 10 ? "%u" : "0x%x", k);
	return to;
}

/* Constants that are encoded in a byte are written with their sign. */
static const char *signed_num(uint32_t k)
{
	static char text[16];

	if (k < 0xffffff80u)
		return num(k);
	snprintf(text, sizeof(text), 0u - k < 10 ? "-%u" : "-0x%x", 0u - k);
	return text;
}

static void registers_among_each_other(void **state)
{
	static const char *const alu[] = {"add", "or", "adc", "sbb", "and", "sub", "xor", "cmp"};
	static const enum x86_alu ops[] = {
		ALU_ADD, ALU_OR, ALU_SBB, ALU_AND, ALU_SUB, ALU_XOR, ALU_CMP};
	struct x86 x;

	(void)state;
	x86_init(&x);
	for (enum x86_gpr a = RAX; a <= R15; a++) {
		for (enum x86_gpr b = RAX; b <= R15; b++) {
			x86_mov(&x, a, b);
			expect(&x, "mov %s, %s", r32[a], r32[b]);
			x86_mov64(&x, a, b);
			expect(&x, "mov %s, %s", r64[a], r64[b]);
			x86_movzx8(&x, a, b);
			expect(&x, "movzx %s, %s", r32[a], r8[b]);
			x86_movzx16(&x, a, b);
			expect(&x, "movzx %s, %s", r32[a], r16[b]);
			x86_test(&x, a, b);
			expect(&x, "test %s, %s", r32[a], r32[b]);
			x86_imul(&x, a, b);
			expect(&x, "imul %s, %s", r32[a], r32[b]);
			x86_bt(&x, a, b);
			expect(&x, "bt %s, %s", r32[a], r32[b]);
			x86_cmov(&x, CC_BE, a, b);
			expect(&x, "cmovbe %s, %s", r32[a], r32[b]);
			for (size_t i = 0; i < NPF_ARRAY_LEN(ops); i++) {
				x86_alu(&x, ops[i], a, b);
				expect(&x, "%s %s, %s", alu[ops[i]], r32[a], r32[b]);
				x86_alu64(&x, ops[i], a, b);
				expect(&x, "%s %s, %s", alu[ops[i]], r64[a], r64[b]);
			}
		}
		x86_bswap(&x, a);
		expect(&x, "bswap %s", r32[a]);
		x86_neg(&x, a);
		expect(&x, "neg %s", r32[a]);
		x86_neg64(&x, a);
		expect(&x, "neg %s", r64[a]);
		x86_inc64(&x, a);
		expect(&x, "inc %s", r64[a]);
		x86_div(&x, a);
		expect(&x, "div %s", r32[a]);
		x86_shift_cl(&x, SHIFT_SHL, a);
		expect(&x, "shl %s, cl", r32[a]);
		x86_shift_cl(&x, SHIFT_SHR, a);
		expect(&x, "shr %s, cl", r32[a]);
		x86_push(&x, a);
		expect(&x, "push %s", r64[a]);
		x86_pop(&x, a);
		expect(&x, "pop %s", r64[a]);
	}
	x86_ret(&x);
	expect(&x, "ret");
	x86_fini(&x);
}

static void registers_and_constants(void **state)
{
	static const uint32_t ks[] = {0, 1, 5, 0x7f, 0x80, 0xff, 0x1234, 0x7fffffff, 0x80000000,
		0xffffff7f, 0xffffff80, 0xffffffff};
	struct x86 x;

	(void)state;
	x86_init(&x);
	for (enum x86_gpr a = RAX; a <= R15; a++) {
		for (size_t i = 0; i < NPF_ARRAY_LEN(ks); i++) {
			const uint32_t k = ks[i];

			x86_mov_imm(&x, a, k);
			expect(&x, "mov %s, %s", r32[a], num(k));
			x86_alu_imm(&x, ALU_ADD, a, k);
			expect(&x, "add %s, %s", r32[a], signed_num(k));
			x86_alu_imm(&x, ALU_CMP, a, k);
			expect(&x, "cmp %s, %s", r32[a], signed_num(k));
			x86_test_imm(&x, a, k);
			expect(&x, "test %s, %s", r32[a], num(k));
			x86_imul_imm(&x, a, R15 - a, k);
			expect(&x, "imul %s, %s, %s", r32[a], r32[R15 - a], signed_num(k));
		}
		x86_alu64_imm(&x, ALU_SUB, a, 100);
		expect(&x, "sub %s, 0x64", r64[a]);
		x86_alu64_imm(&x, ALU_ADD, a, 0x12345);
		expect(&x, "add %s, 0x12345", r64[a]);
		x86_mov_imm64(&x, a, 0x123456789abcdef0);
		expect(&x, "movabs %s, 0x123456789abcdef0", r64[a]);
		x86_mov_imm64(&x, a, 0x12345678);
		expect(&x, "mov %s, 0x12345678", r32[a]);
		x86_shift_imm(&x, SHIFT_SHL, a, 1);
		expect(&x, "shl %s, 1", r32[a]);
		x86_shift_imm(&x, SHIFT_SHR, a, 31);
		expect(&x, "shr %s, 0x1f", r32[a]);
		x86_rol16(&x, a, 8);
		expect(&x, "rol %s, 8", r16[a]);
	}
	x86_fini(&x);
}

static void every_condition_has_its_number(void **state)
{
	static const struct {
		enum x86_cc cc;
		const char *name;
	} ccs[] = {{CC_B, "b"}, {CC_AE, "ae"}, {CC_E, "e"}, {CC_NE, "ne"}, {CC_BE, "be"},
		{CC_A, "a"}, {CC_S, "s"}, {CC_NS, "ns"}, {CC_L, "l"}, {CC_GE, "ge"}};
	struct x86 x;

	(void)state;
	for (size_t i = 0; i < NPF_ARRAY_LEN(ccs); i++) {
		uint32_t label;

		x86_init(&x);
		for (enum x86_gpr a = RAX; a <= R15; a++) {
			x86_setcc(&x, ccs[i].cc, a);
			expect(&x, "set%s %s", ccs[i].name, r8[a]);
			x86_cmov(&x, ccs[i].cc, a, RCX);
			expect(&x, "cmov%s %s, ecx", ccs[i].name, r32[a]);
		}
		label = x86_label(&x);
		x86_jcc(&x, ccs[i].cc, label);
		x86_bind(&x, label);
		x86_resolve(&x);
		expect(&x, "j%s 0x1006", ccs[i].name);
		assert_int_equal(ccs[i].cc ^ 1, i % 2 ? ccs[i - 1].cc : ccs[i + 1].cc);
		x86_fini(&x);
	}
}

static void try_memory(struct x86 *x, enum x86_gpr a, struct x86_mem m)
{
	char t[64];

	snprintf(t, sizeof(t), "%s", mem_text(m));
	x86_load8(x, a, m);
	expect(x, "movzx %s, byte ptr %s", r32[a], t);
	x86_load16(x, a, m);
	expect(x, "movzx %s, word ptr %s", r32[a], t);
	x86_load32(x, a, m);
	expect(x, "mov %s, dword ptr %s", r32[a], t);
	x86_load64(x, a, m);
	expect(x, "mov %s, qword ptr %s", r64[a], t);
	x86_store32(x, m, a);
	expect(x, "mov dword ptr %s, %s", t, r32[a]);
	x86_store64(x, m, a);
	expect(x, "mov qword ptr %s, %s", t, r64[a]);
	x86_lea64(x, a, m);
	expect(x, "lea %s, %s", r64[a], t);
	x86_alu_mem(x, ALU_CMP, a, m);
	expect(x, "cmp %s, dword ptr %s", r32[a], t);
	x86_alu64_mem(x, ALU_AND, a, m);
	expect(x, "and %s, qword ptr %s", r64[a], t);
	x86_store_imm32(x, m, 0x40000);
	expect(x, "mov dword ptr %s, 0x40000", t);
	x86_cmp8_imm(x, m, 200);
	expect(x, "cmp byte ptr %s, 0xc8", t);
	x86_cmp16_imm(x, m, 8);
	expect(x, "cmp word ptr %s, 8", t);
	x86_cmp16_imm(x, m, 0xdd86);
	expect(x, "cmp word ptr %s, 0xdd86", t);
	x86_cmp16_imm(x, m, 0x80);
	expect(x, "cmp word ptr %s, 0x80", t);
	x86_cmp32_imm(x, m, 8);
	expect(x, "cmp dword ptr %s, 8", t);
	x86_cmp32_imm(x, m, 0x0100000a);
	expect(x, "cmp dword ptr %s, 0x100000a", t);
	x86_test8_imm(x, m, 0x1f);
	expect(x, "test byte ptr %s, 0x1f", t);
	x86_test16_imm(x, m, 0xff1f);
	expect(x, "test word ptr %s, 0xff1f", t);
	x86_test32_imm(x, m, 0xf0000000);
	expect(x, "test dword ptr %s, 0xf0000000", t);
}

static void every_form_of_address(void **state)
{
	static const int32_t disps[] = {
		0, 1, 12, 127, 128, -1, -128, -129, 0x12345, INT32_MAX, INT32_MIN};
	struct x86 x;

	(void)state;
	x86_init(&x);
	for (enum x86_gpr base = RAX; base <= R15; base++) {
		for (size_t d = 0; d < NPF_ARRAY_LEN(disps); d++) {
			try_memory(&x, R15 - base, X86_MEM(base, disps[d]));
			for (enum x86_gpr index = RAX; index <= R15; index++) {
				if (index == RSP)
					continue;
				try_memory(&x, index,
					X86_SIB(base, index, (uint8_t)(1u << d % 4), disps[d]));
			}
		}
	}
	x86_fini(&x);
}

static void jumps_reach_backward_and_forward(void **state)
{
	uint8_t fill[300];
	struct x86 x;
	uint32_t back, ahead, data;
	cs_insn *in;
	size_t n;

	(void)state;
	memset(fill, 0x90, sizeof(fill));
	x86_init(&x);
	back = x86_label(&x);
	ahead = x86_label(&x);
	data = x86_label(&x);
	x86_bind(&x, back);
	x86_jmp(&x, back);            /* 0: short */
	x86_jcc(&x, CC_E, ahead);     /* 2: long */
	x86_data(&x, fill, 118);      /* 8 */
	x86_jcc(&x, CC_NE, back);     /* 126: the farthest short one */
	x86_jcc(&x, CC_NE, back);     /* 128: long */
	x86_lea_label(&x, R12, data); /* 134 */
	x86_jmp(&x, back);            /* 141: long */
	x86_bind(&x, ahead);          /* 146 */
	x86_ret(&x);
	x86_align(&x, 64, 0xcc);
	x86_bind(&x, data); /* 192 */
	x86_data(&x, fill, 1);
	x86_resolve(&x);
	assert_false(x.failed);
	assert_int_equal(x.len, 193);
	n = cs_disasm(cs, x.code, 147, 0, 0, &in);
	assert_int_equal(n, 2 + 118 + 2 + 1 + 1 + 1);
	assert_string_equal(in[0].op_str, "0");
	assert_int_equal(in[0].size, 2);
	assert_string_equal(in[1].op_str, "0x92");
	assert_int_equal(in[120].address, 126);
	assert_string_equal(in[120].op_str, "0");
	assert_int_equal(in[120].size, 2);
	assert_string_equal(in[121].op_str, "0");
	assert_int_equal(in[121].size, 6);
	assert_string_equal(in[122].op_str, "r12, [rip + 0x33]");
	assert_string_equal(in[123].op_str, "0");
	assert_int_equal(in[123].size, 5);
	assert_string_equal(in[124].mnemonic, "ret");
	cs_free(in, n);
	x86_fini(&x);
}

static void a_label_without_a_place_is_a_failure(void **state)
{
	struct x86 x;

	(void)state;
	x86_init(&x);
	x86_jmp(&x, x86_label(&x));
	x86_resolve(&x);
	assert_true(x.failed);
	/* Nothing is written after a failure. */
	x.len = 0;
	x86_ret(&x);
	assert_int_equal(x.len, 0);
	x86_fini(&x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(registers_among_each_other),
		cmocka_unit_test(registers_and_constants),
		cmocka_unit_test(every_condition_has_its_number),
		cmocka_unit_test(every_form_of_address),
		cmocka_unit_test(jumps_reach_backward_and_forward),
		cmocka_unit_test(a_label_without_a_place_is_a_failure),
	};
	int rc;

	if (cs_open(CS_ARCH_X86, CS_MODE_64, &cs) != CS_ERR_OK)
		return 99;
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	cs_close(&cs);
	return rc;
}
