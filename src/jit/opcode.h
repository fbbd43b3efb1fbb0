/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * opcode.h - the opcodes of classic BPF, whole, not the fields that they are built of.
 *
 * The numbers are those of McCanne and Jacobson's machine, as in libpcap's pcap/bpf.h and Linux's
 * filter.h. An opcode that is not listed here is not an instruction, and a program with one is
 * refused. libpcap's bpf_validate() accepts some that make bpf_filter() abort().
 */
#ifndef NPF_JIT_OPCODE_H
#define NPF_JIT_OPCODE_H

#include <stdbool.h>
#include <stdint.h>

enum npf_bpf_op {
	OP_LD_IMM = 0x00,
	OP_LD_W_ABS = 0x20,
	OP_LD_H_ABS = 0x28,
	OP_LD_B_ABS = 0x30,
	OP_LD_W_IND = 0x40,
	OP_LD_H_IND = 0x48,
	OP_LD_B_IND = 0x50,
	OP_LD_MEM = 0x60,
	OP_LD_LEN = 0x80,
	OP_LDX_IMM = 0x01,
	OP_LDX_MEM = 0x61,
	OP_LDX_LEN = 0x81,
	OP_LDX_MSH = 0xb1,
	OP_ST = 0x02,
	OP_STX = 0x03,
	OP_ADD_K = 0x04,
	OP_ADD_X = 0x0c,
	OP_SUB_K = 0x14,
	OP_SUB_X = 0x1c,
	OP_MUL_K = 0x24,
	OP_MUL_X = 0x2c,
	OP_DIV_K = 0x34,
	OP_DIV_X = 0x3c,
	OP_OR_K = 0x44,
	OP_OR_X = 0x4c,
	OP_AND_K = 0x54,
	OP_AND_X = 0x5c,
	OP_LSH_K = 0x64,
	OP_LSH_X = 0x6c,
	OP_RSH_K = 0x74,
	OP_RSH_X = 0x7c,
	OP_NEG = 0x84,
	OP_MOD_K = 0x94,
	OP_MOD_X = 0x9c,
	OP_XOR_K = 0xa4,
	OP_XOR_X = 0xac,
	OP_JA = 0x05,
	OP_JEQ_K = 0x15,
	OP_JEQ_X = 0x1d,
	OP_JGT_K = 0x25,
	OP_JGT_X = 0x2d,
	OP_JGE_K = 0x35,
	OP_JGE_X = 0x3d,
	OP_JSET_K = 0x45,
	OP_JSET_X = 0x4d,
	OP_RET_K = 0x06,
	OP_RET_A = 0x16,
	OP_TAX = 0x07,
	OP_TXA = 0x87,
};

static inline bool npf_bpf_is_jump(uint16_t code)
{
	return (code & 7) == 5;
}

static inline bool npf_bpf_is_ret(uint16_t code)
{
	return code == OP_RET_K || code == OP_RET_A;
}

#endif
