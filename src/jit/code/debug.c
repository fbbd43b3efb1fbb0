/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * debug.c - names of filters for profiles and backtraces.
 *
 * NPF_JIT_DEBUG=perf appends "address size name" to /tmp/perf-PID.map, where perf looks for the
 * symbols of code that no file describes. The name of that file can be guessed, so it is opened
 * without following links, and only written if it is a plain file of this process's user.
 *
 * NPF_JIT_DEBUG=gdb uses GDB's JIT interface: a list of object files in memory at a symbol that GDB
 * knows, and an empty function on which GDB sets a breakpoint. Here these are ELF files with one
 * section, at the code's address, and one symbol.
 *
 * In a program that runs with more rights than its user the variable is ignored.
 */
#include "jit/code/code.h"

#include <elf.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* GDB's side of the interface; its names and layout are fixed ("JIT Compilation Interface"). */
enum {
	JIT_NOACTION,
	JIT_REGISTER_FN,
	JIT_UNREGISTER_FN
};

struct jit_code_entry {
	struct jit_code_entry *next_entry;
	struct jit_code_entry *prev_entry;
	const char *symfile_addr;
	uint64_t symfile_size;
};

struct jit_descriptor {
	uint32_t version;
	uint32_t action_flag;
	struct jit_code_entry *relevant_entry;
	struct jit_code_entry *first_entry;
};

#define GDB_SEES __attribute__((visibility("default"), used, weak))

/* Weak: another code generator in the process may have brought them already. */
void __jit_debug_register_code(void);
extern struct jit_descriptor __jit_debug_descriptor;

GDB_SEES __attribute__((noinline)) void __jit_debug_register_code(void)
{
	__asm__ volatile("" ::: "memory");
}

GDB_SEES struct jit_descriptor __jit_debug_descriptor = {.version = 1};

enum {
	SEC_NULL,
	SEC_TEXT,
	SEC_SYMTAB,
	SEC_STRTAB,
	SEC_SHSTRTAB,
	N_SECS
};

struct object {
	Elf64_Ehdr ehdr;
	Elf64_Shdr shdr[N_SECS];
	Elf64_Sym sym[2];
	char strtab[48];
	char shstrtab[48];
};

struct debug_entry {
	struct jit_code_entry gdb;
	struct object object;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned int n_announced;

static bool is_enabled(const char *what)
{
	const char *list = secure_getenv("NPF_JIT_DEBUG");
	const size_t len = strlen(what);

	while (list != NULL && *list != '\0') {
		if (strncmp(list, what, len) == 0 && (list[len] == ',' || list[len] == '\0'))
			return true;
		list += strcspn(list, ",");
		list += *list == ',';
	}
	return false;
}

static void write_perf_map(const struct code *code, size_t n_code, const char *name)
{
	char path[64];
	struct stat st;
	FILE *out;
	int fd;

	snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)getpid());
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid() ||
		st.st_nlink != 1 || (out = fdopen(fd, "a")) == NULL) {
		close(fd);
		return;
	}
	fprintf(out, "%zx %zx %s\n", (size_t)(uintptr_t)code->at, n_code, name);
	fclose(out);
}

static void fill_object(struct object *o, const struct code *code, size_t n_code, const char *name)
{
	static const char secs[] = "\0.text\0.symtab\0.strtab\0.shstrtab";
	const Elf64_Addr at = (Elf64_Addr)(uintptr_t)code->at;

	memcpy(o->ehdr.e_ident, ELFMAG, SELFMAG);
	o->ehdr.e_ident[EI_CLASS] = ELFCLASS64;
	o->ehdr.e_ident[EI_DATA] = ELFDATA2LSB;
	o->ehdr.e_ident[EI_VERSION] = EV_CURRENT;
	o->ehdr.e_type = ET_EXEC;
	o->ehdr.e_machine = EM_X86_64;
	o->ehdr.e_version = EV_CURRENT;
	o->ehdr.e_shoff = offsetof(struct object, shdr);
	o->ehdr.e_ehsize = sizeof(o->ehdr);
	o->ehdr.e_shentsize = sizeof(o->shdr[0]);
	o->ehdr.e_shnum = N_SECS;
	o->ehdr.e_shstrndx = SEC_SHSTRTAB;
	o->shdr[SEC_TEXT] = (Elf64_Shdr){.sh_name = 1,
		.sh_type = SHT_NOBITS,
		.sh_flags = SHF_ALLOC | SHF_EXECINSTR,
		.sh_addr = at,
		.sh_size = n_code,
		.sh_addralign = 16};
	o->shdr[SEC_SYMTAB] = (Elf64_Shdr){.sh_name = 7,
		.sh_type = SHT_SYMTAB,
		.sh_offset = offsetof(struct object, sym),
		.sh_size = sizeof(o->sym),
		.sh_link = SEC_STRTAB,
		.sh_info = 1,
		.sh_addralign = 8,
		.sh_entsize = sizeof(o->sym[0])};
	o->shdr[SEC_STRTAB] = (Elf64_Shdr){.sh_name = 15,
		.sh_type = SHT_STRTAB,
		.sh_offset = offsetof(struct object, strtab),
		.sh_size = sizeof(o->strtab),
		.sh_addralign = 1};
	o->shdr[SEC_SHSTRTAB] = (Elf64_Shdr){.sh_name = 23,
		.sh_type = SHT_STRTAB,
		.sh_offset = offsetof(struct object, shstrtab),
		.sh_size = sizeof(o->shstrtab),
		.sh_addralign = 1};
	o->sym[1] = (Elf64_Sym){.st_name = 1,
		.st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
		.st_shndx = SEC_TEXT,
		.st_value = at,
		.st_size = n_code};
	snprintf(o->strtab + 1, sizeof(o->strtab) - 1, "%s", name);
	memcpy(o->shstrtab, secs, sizeof(secs));
}

static struct debug_entry *register_with_gdb(
	const struct code *code, size_t n_code, const char *name)
{
	struct debug_entry *e = calloc(1, sizeof(*e));

	if (e == NULL)
		return NULL;
	fill_object(&e->object, code, n_code, name);
	e->gdb.symfile_addr = (const char *)&e->object;
	e->gdb.symfile_size = sizeof(e->object);
	e->gdb.next_entry = __jit_debug_descriptor.first_entry;
	if (e->gdb.next_entry != NULL)
		e->gdb.next_entry->prev_entry = &e->gdb;
	__jit_debug_descriptor.first_entry = &e->gdb;
	__jit_debug_descriptor.relevant_entry = &e->gdb;
	__jit_debug_descriptor.action_flag = JIT_REGISTER_FN;
	__jit_debug_register_code();
	return e;
}

struct debug_entry *debug_announce(const struct code *code, size_t n_code)
{
	const bool perf = is_enabled("perf");
	const bool gdb = is_enabled("gdb");
	struct debug_entry *e = NULL;
	char name[32];

	if (!perf && !gdb)
		return NULL;
	pthread_mutex_lock(&lock);
	snprintf(name, sizeof(name), "npf_filter_%u", ++n_announced);
	if (perf)
		write_perf_map(code, n_code, name);
	if (gdb)
		e = register_with_gdb(code, n_code, name);
	pthread_mutex_unlock(&lock);
	return e;
}

void debug_withdraw(struct debug_entry *e)
{
	if (e == NULL)
		return;
	pthread_mutex_lock(&lock);
	if (e->gdb.prev_entry != NULL)
		e->gdb.prev_entry->next_entry = e->gdb.next_entry;
	else
		__jit_debug_descriptor.first_entry = e->gdb.next_entry;
	if (e->gdb.next_entry != NULL)
		e->gdb.next_entry->prev_entry = e->gdb.prev_entry;
	__jit_debug_descriptor.relevant_entry = &e->gdb;
	__jit_debug_descriptor.action_flag = JIT_UNREGISTER_FN;
	__jit_debug_register_code();
	pthread_mutex_unlock(&lock);
	free(e);
}
