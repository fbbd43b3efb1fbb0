#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Seed faults in the filter compiler, and see who finds each.

    seed-faults.py [-n PROGRAMS] [WORD...]

A fault is a text of a file that is replaced by another: a guard left out or weakened, a table too small, a register
given away too early. Each is compiled into a copy of the tests: first the check of the programs (test_check, which
runs nothing), then the differential tests (test_structured, test_random) and the longest programs (test_work). What
the check does not pass while these run counts as found by the check. With words, only the faults whose names have one
of them. Fails if a fault is not found.
"""
import argparse
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
CFLAGS = ["-std=gnu11", "-O1", "-g", "-w", "-D_GNU_SOURCE", "-fno-strict-aliasing"]
SHAPES = ["conformance/made.c", "conformance/shape.c", "conformance/shape_value.c", "conformance/gen.c"]
TESTS = {
    "test_check": ["conformance/test_check.c", *SHAPES],
    "test_structured": ["conformance/test_structured.c", "conformance/aim.c", *SHAPES],
    "test_random": ["conformance/test_random.c", "conformance/gen.c"],
    "test_work": ["unit/jit/test_work.c"],
}

# file below src/jit: (what is wrong, the text, what it becomes)
FAULTS = {
    "ir/build.c": [
        ("the check of a load ends where the load begins", "(uint64_t)off + ir_load_size(op)));", "(uint64_t)off));"),
        ("the check of a load is a byte short", "(uint64_t)off + ir_load_size(op)));",
         "(uint64_t)off + ir_load_size(op) - 1));"),
        ("an indexed load is not checked", "\trequire(bld, ir_in_range(bld->ir, base,",
         "\tif (base == 0) require(bld, ir_in_range(bld->ir, base,"),
        ("the check of an indexed load forgets the index", "ir_in_range(bld->ir, base,", "ir_in_range(bld->ir, 0,"),
        ("the header's length is loaded without a check", "bld, IR_AND, load(bld, IR_LD8, 0, in->k),",
         "bld, IR_AND, make(bld, IR_LD8, 0, 0, in->k),"),
        ("a remainder's divisor is not checked", "if ((op == IR_DIV || op == IR_MOD) && !ir_is_const(bld->ir, b))",
         "if (op == IR_DIV && !ir_is_const(bld->ir, b))"),
        ("the check of a divisor is always true", "make(bld, IR_NE, b, ir_const(bld->ir, 0), 0)",
         "make(bld, IR_GE, b, ir_const(bld->ir, 0), 0)"),
        ("the check of a divisor is of the dividend", "make(bld, IR_NE, b, ir_const(bld->ir, 0), 0)",
         "make(bld, IR_NE, a, ir_const(bld->ir, 0), 0)"),
        ("what a check leads to is exchanged", "ir_br(ir, bld->block, v, next, bld->reject)",
         "ir_br(ir, bld->block, v, bld->reject, next)"),
    ],
    "ir/ir.c": [
        ("a packet of more than 4 GiB is taken for possible", "return ir_const(ir, 0);\n\treturn ir_op(ir, IR_INR",
         "return ir_const(ir, 1);\n\treturn ir_op(ir, IR_INR"),
        ("a half is bounded as a byte", "return UINT16_MAX;\n\tcase IR_ADD", "return UINT8_MAX;\n\tcase IR_ADD"),
        ("the bound of a sum wraps", "a + b >= a ? a + b : UINT32_MAX", "a + b"),
        ("the bound of a product wraps", "(uint64_t)a * b <= UINT32_MAX ? a * b : UINT32_MAX", "a * b"),
        ("the bound of a left shift wraps", "ir_bits(a) <= UINT32_MAX >> kb ? a << kb", "true ? a << kb"),
        ("the bound of a choice is the lower one", "NPF_MAX(b, ir->vals[val->c].max)",
         "NPF_MIN(b, ir->vals[val->c].max)"),
        ("the bound of an OR is one of its operands'", "return ir_bits(a | b);", "return NPF_MAX(a, b);"),
        ("the bound of a difference is that of its left side", "case IR_SHR:\n\t\treturn by_const",
         "case IR_SUB:\n\t\treturn a;\n\tcase IR_SHR:\n\t\treturn by_const"),
    ],
    "ir/facts.c": [
        ("a shorter check implies a longer one", "f.op == IR_INR && f.k >= p->k", "f.op == IR_INR && f.k <= p->k"),
        ("a check implies the same of another base", "if (f.a != p->a)\n\t\treturn -1;",
         "if (f.a != p->a && f.op != IR_INR)\n\t\treturn -1;"),
        ("a fact's falsehood is taken for its truth", "\tif (!truth)\n\t\tf.op =", "\tif (false)\n\t\tf.op ="),
        ("a join knows what one of its ways knows", "o->n_pred[b] == 1 && bl->term", "bl->term"),
        ("the sides of a branch are exchanged", "implied(ir, bl->v, o->by_true[b], &p)",
         "implied(ir, bl->v, !o->by_true[b], &p)"),
        ("what is above a bound is not equal to the bound", "k < lo || k > hi ? p->op", "k < lo || k >= lo ? p->op"),
        ("any common bit implies a test", "return (kf & ~kp) == 0 ? p->op == IR_TST : -1;",
         "return (kf & kp) != 0 ? p->op == IR_TST : -1;"),
        ("a member of a set is none of its values",
         "return ir_set_has(&ir->sets[f->k], kp) ? -1 : p->op == IR_NE;", "return p->op == IR_NE;"),
        ("no bit implies any bit", "return (kp & ~kf) == 0 ? p->op == IR_NTST : -1;",
         "return (kp & ~kf) == 0 ? p->op == IR_TST : -1;"),
    ],
    "ir/order.c": [
        ("the dominator of a join is its last predecessor", "is_first ? b : common_ancestor(o, o->idom[to[j]], b)",
         "b"),
        ("the dominator of a join is its first predecessor", "is_first ? b : common_ancestor(o, o->idom[to[j]], b)",
         "is_first ? b : o->idom[to[j]]"),
        ("domination compares depths only", "\treturn a == b;\n}", "\treturn true;\n}"),
    ],
    "ir/simplify.c": [
        ("a constant check beyond 4 GiB is true", "return ir_const(ir, (end == 0) == (op == IR_INR));",
         "return ir_const(ir, op == IR_INR);"),
        ("a check from a constant forgets the length", "* (a != 0) + k;", "* (a != 0) + 1;"),
        ("a value is never equal to its bound", "if (k > max)\n\t\t\treturn ir_const(ir, op == IR_NE);",
         "if (k >= max)\n\t\t\treturn ir_const(ir, op == IR_NE);"),
        ("a bit is compared the wrong way", "return (k == 1) == (op == IR_EQ) ? a : ir_not(ir, a);",
         "return (k == 1) == (op == IR_EQ) ? ir_not(ir, a) : a;"),
        ("a choice of a bit or 0 is the bit", "if (ir_is(ir, c, 0))\n\t\treturn ir_op2(ir, IR_AND, a, b);",
         "if (ir_is(ir, c, 0))\n\t\treturn b;"),
        ("a value shifted right is not 0 if it was not", "ir_op2(ir, IR_AND, in.a, ir_const(ir, UINT32_MAX << m)),",
         "in.a,"),
    ],
    "passes/passes.c": [
        ("a check covers one byte more", "least_t = val->k;", "least_t = val->k + 1;"),
        ("a check that one byte lacks is removed", "if (least[b] >= val->k) {", "if (least[b] + 1 >= val->k) {"),
        ("a join has the length of its longest way, if true",
         "least[bl->t] = NPF_MIN(least[bl->t], least_t);",
         "least[bl->t] = least[bl->t] == UINT32_MAX ? least_t : NPF_MAX(least[bl->t], least_t);"),
        ("a join has the length of its longest way, if false",
         "least[bl->f] = NPF_MIN(least[bl->f], least_f);",
         "least[bl->f] = least[bl->f] == UINT32_MAX ? least_f : NPF_MAX(least[bl->f], least_f);"),
        ("a failed check counts as passed", "most_f = val->k - 1;", "most_f = val->k - 1, least_f = val->k;"),
        ("a check from a base counts as one from the beginning",
         "val->op == IR_INR && val->a == 0) {\n\t\t\t/* Beyond", "val->op == IR_INR) {\n\t\t\t/* Beyond"),
        ("a check that nothing settles is jumped over", "\t\tif (known < 0)\n\t\t\tbreak;",
         "\t\tif (known < 0 && ir->vals[bl->v].op == IR_INR)\n\t\t\tknown = 1;\n\t\tif (known < 0)\n\t\t\tbreak;"),
        ("a half is loaded as a word", "val.op == IR_LD16 ? IR_RAW16 : IR_RAW32", "IR_RAW32"),
        ("a base is moved by a byte", "? IR_RAW16 : IR_RAW32, val.a, val.k);",
         "? IR_RAW16 : IR_RAW32, val.a, val.k + 1);"),
    ],
    "passes/flatten.c": [
        ("the hoisted check is the last one's", "f->hoist = NPF_MAX(f->hoist, val->k);", "f->hoist = val->k;"),
        ("a base of 0 is not covered by the hoisted check", "f->hoist = NPF_MAX(f->hoist, f->bases[i].max);", ";"),
        ("a base is kept where only the nearest byte is in range", "ir_in_range(ir, val.a, base->max), val.a",
         "ir_in_range(ir, val.a, base->min), val.a"),
        ("a base is never taken as 0", "\t\tval.a = base->clamped;", "\t\t;"),
        ("the choice of a base is the wrong way round", "base->max), val.a, ir_const(ir, 0));",
         "base->max), ir_const(ir, 0), val.a);"),
        ("the farthest byte is one too near", "base->max = NPF_MAX(base->max, (uint32_t)end);",
         "base->max = NPF_MAX(base->max, (uint32_t)end - 1);"),
        ("each load from a base needs one byte", "(uint64_t)val->k + ir_load_size(val->op), false);",
         "(uint64_t)val->k + 1, false);"),
        ("the hoisted check does not matter", "ir_br(ir, in, v, body, head);", "ir_br(ir, in, v, body, body);"),
        ("divisions become logic", "val->pinned || val->op == IR_DIV || val->op == IR_MOD ||", "val->pinned ||"),
        ("pinned values become logic", "if (val->pinned || val->op == IR_DIV", "if (val->op == IR_DIV"),
        ("bases that were checked before are not checked again", "\t\tf->bases[i].has_check = true;",
         "\t\tif (!f->bases[i].has_check) continue;"),
    ],
    "passes/windows.c": [
        ("a window begins with its first byte", "(uint32_t)end - room, .size", "begin, .size"),
        ("a window begins before the packet", "end - begin > room || end < room)", "end - begin > room)"),
        ("fields of two bases are one window", "f->base != g->base || end", "end"),
        ("a window of eight bytes is one of the next eight", "ir_window_new(ir, f->off,", "ir_window_new(ir, f->off + 8,"),
    ],
    "schedule/schedule.c": [
        ("a value of another way is used", "return ir_dominates(&p->s->order, p->s->steps[at].block, b) ? at : 0;",
         "return at;"),
        ("what a fused step reads may be given away", "\t\textend(s, step->a, to);\n", ""),
        ("a register is free at the last use", "steps[as->in_reg[r]].last < now)",
         "steps[as->in_reg[r]].last < now + 2)"),
        ("a stack word is taken while it is in use", "as->free_words[as->n_taken].since <= i)", "true)"),
        ("an operand that lives on is overwritten", "o->last == i && o->loc", "o->loc"),
        ("a step with two users is fused", "user->a == 0 || a->n_uses != 1 ||", "user->a == 0 ||"),
        ("a step of another block is fused", "|| a->block != user->block)", ")"),
        ("a frame may be of any size", "s->n_words <= SCHED_MAX_WORDS ? 0 : -E2BIG", "0"),
        ("a load in network order is fused", "op == IR_LD8 || op == IR_RAW16 || op == IR_RAW32;\n}\n\n/* Which",
         "op >= IR_LD8 && op <= IR_RAW32;\n}\n\n/* Which"),
        ("the choice of a constant fuses its condition", " &&\n\t\t\t\t   !sched_is_masked_const(ir, val);", ";"),
    ],
    "x86/lookup.c": [
        ("any set may be a bitmap", "return max <= UINT16_MAX && n >= BITS_MIN;", "return n >= BITS_MIN;"),
        ("a bitmap is half as long", "\treturn 0;\n}\n\n/* Return 1 when no multiplier",
         "\tl->n_slots /= 2;\n\treturn 0;\n}\n\n/* Return 1 when no multiplier"),
        ("a hash leaves its table", "\tif (rc < 0)\n\t\tlookup_fini(l);",
         "\tif (l->kind == LOOKUP_HASH)\n\t\tl->shift--;\n\tif (rc < 0)\n\t\tlookup_fini(l);"),
        ("a second hash leaves its table", "\tif (rc < 0)\n\t\tlookup_fini(l);",
         "\tif (l->kind == LOOKUP_HASH2)\n\t\tl->shift--;\n\tif (rc < 0)\n\t\tlookup_fini(l);"),
        ("a first hash leaves its table", "\tif (rc < 0)\n\t\tlookup_fini(l);",
         "\tif (l->kind == LOOKUP_HASH2)\n\t\tl->mult_shift--;\n\tif (rc < 0)\n\t\tlookup_fini(l);"),
    ],
    "x86/emit_test.c": [
        ("the first use of a set decides the form of its table", "\tif (t->used)\n\t\treturn t;",
         "\tif (tables->bitmap.used || tables->hash.used)\n"
         "\t\treturn tables->bitmap.used ? &tables->bitmap : &tables->hash;"),
        ("half a table is appended", "t->lookup.slots, t->lookup.n_slots * sizeof(uint32_t));",
         "t->lookup.slots, t->lookup.n_slots * sizeof(uint32_t) / 2);"),
        ("emitted: a check is a byte short", "x86_alu_imm(e->x, ALU_CMP, REG_CAPLEN, val->k);",
         "x86_alu_imm(e->x, ALU_CMP, REG_CAPLEN, val->k - 1);"),
        ("emitted: a check from a base is of the base", "X86_MEM(base, (int32_t)val->k));", "X86_MEM(base, 0));"),
        ("emitted: a check from a base is reversed", "\treturn CC_BE;", "\treturn CC_A;"),
    ],
    "x86/emit_operand.c": [
        ("emitted: a load is a byte farther", "return X86_MEM(REG_PKT, (int32_t)off);",
         "return X86_MEM(REG_PKT, (int32_t)off + 1);"),
        ("emitted: a load forgets its base", "return X86_SIB(REG_PKT, emit_use(e, base, base_step, RCX), 1, (int32_t)off);",
         "return X86_MEM(REG_PKT, (int32_t)off);"),
        ("emitted: an index is scaled", "emit_use(e, base, base_step, RCX), 1, (int32_t)off);",
         "emit_use(e, base, base_step, RCX), 2, (int32_t)off);"),
        ("emitted: stack words lie on the slots", "FRAME_WORDS + 4 * (e->s.steps[step].loc - EMIT_N_REGS)",
         "FRAME_SLOTS + 4 * (e->s.steps[step].loc - EMIT_N_REGS)"),
    ],
    "x86/emit.c": [
        ("emitted: a division is by the dividend", "\temit_copy(e, RCX, val->b, step->b);\n\temit_copy(e, RAX, val->a, step->a);\n\tif (keep",
         "\temit_copy(e, RCX, val->a, step->a);\n\temit_copy(e, RAX, val->a, step->a);\n\tif (keep"),
        ("emitted: slots overlap", "x86_store32(e->x, X86_MEM(RSP, (int32_t)(FRAME_SLOTS + 4 * val->k)), dst);",
         "x86_store32(e->x, X86_MEM(RSP, (int32_t)(FRAME_SLOTS + 2 * val->k)), dst);"),
        ("emitted: a division spoils a register", "const bool keep_rdx = e->uses_rdx &&",
         "const bool keep_rdx = false &&"),
        ("emitted: a branch is reversed", "\t\t\tx86_jcc(e->x, cc, e->labels[bl->t]);",
         "\t\t\tx86_jcc(e->x, cc ^ 1, e->labels[bl->t]);"),
    ],
}


def compile_one(tree, source, out):
    obj = out / (str(source).replace("/", "_") + ".o")
    subprocess.run(["cc", *CFLAGS, f"-I{tree}/src", f"-I{tree}/tests", "-c", tree / source, "-o", obj], check=True)
    return obj


def link(tree, objects, out):
    for test, sources in TESTS.items():
        with_test = [objects[f"tests/{s}"] for s in sources]
        jit = [o for s, o in objects.items() if s.startswith("src/")]
        subprocess.run(["cc", "-g", *with_test, *jit, "-lpcap", "-lcmocka", "-lpthread", "-o", out / test], check=True)


def sources_of(tree):
    jit = [str(p.relative_to(tree)) for p in sorted((tree / "src/jit").rglob("*.c"))]
    return jit + sorted({f"tests/{s}" for all_of_one in TESTS.values() for s in all_of_one})


def run(out, test, *args):
    """Who finds the fault in this test, if it does."""
    try:
        r = subprocess.run([out / test, *map(str, args)], capture_output=True, timeout=300)
    except subprocess.TimeoutExpired:
        return "running"
    if r.returncode == 0:
        return None
    return "check" if b"not shown to stay in bounds" in r.stderr else "running"


def finder(out, programs):
    """Who finds the fault that was compiled in."""
    return (run(out, "test_check", programs) or run(out, "test_structured", programs) or
            run(out, "test_random", programs * 100) or run(out, "test_work") or "nobody")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("-n", type=int, default=6000, metavar="PROGRAMS")
    parser.add_argument("words", nargs="*")
    args = parser.parse_args()
    found = {"check": 0, "running": 0, "nobody": 0}
    with tempfile.TemporaryDirectory() as tmp:
        tree, out = pathlib.Path(tmp) / "tree", pathlib.Path(tmp) / "out"
        for top in ("src", "tests/conformance", "tests/unit/jit"):
            shutil.copytree(ROOT / top, tree / top)
        out.mkdir()
        objects = {s: compile_one(tree, s, out) for s in sources_of(tree)}
        link(tree, objects, out)
        if finder(out, args.n) != "nobody":
            sys.exit("the tests fail without a fault")
        for name, faults in FAULTS.items():
            path = tree / "src/jit" / name
            good = path.read_text()
            for what, old, new in faults:
                if args.words and not any(w in what for w in args.words):
                    continue
                if good.count(old) != 1:
                    sys.exit(f"{name}: {what}: the text is there {good.count(old)} times")
                path.write_text(good.replace(old, new))
                compile_one(tree, f"src/jit/{name}", out)
                link(tree, objects, out)
                who = finder(out, args.n)
                found[who] += 1
                print(f"{who:10} {name}: {what}", flush=True)
            path.write_text(good)
            compile_one(tree, f"src/jit/{name}", out)
    print(", ".join(f"{who} {n}" for who, n in found.items()))
    sys.exit(found["nobody"] > 0)


if __name__ == "__main__":
    main()
