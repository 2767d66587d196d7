/* A library for LD_PRELOAD that injects faults: it counts the operations of a process on the files below a folder and
 * kills the process right before the n-th one, or makes that one (or all from it on) fail. fork_server.py arms it; it is
 * not part of the package.
 *
 * It intercepts calls of libc: create, open, write, rename, remove, sync and truncate of files, and making and removing
 * folders. The package calls syncfs and flock as raw system calls, which are not intercepted: fork_server.py refuses
 * them with a filter of system calls. The library also limits threads and sets the clock.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { COUNT, KILL, FAIL, FULL, REFUSE };
enum { READS = -1 };

static char root[PATH_MAX];
static char like[PATH_MAX];
static size_t root_length;
static int armed, mode, trace = -1;
static int refused_with, is_clock_set;
static long at, clock_offset, threads_left;
static int are_threads_limited, do_ended_threads_count = 1;
static atomic_long operations;

/* Starts counting the operations below `folder` whose line ("rename /_etl/log/…") contains `part`. The line of the
 * operation that is hit is written to the file descriptor `report`. */
void faults_arm(const char *folder, int what, long when, const char *part, int report) {
    snprintf(root, sizeof root, "%s", folder);
    snprintf(like, sizeof like, "%s", part);
    root_length = strlen(root);
    mode = what;
    at = when;
    trace = report;
    operations = 0;
    armed = 1;
}

long faults_count(void) { return operations; }

/* The error of all operations that are armed with REFUSE, as of a file system that does not support them. */
void faults_refuse(int error) { refused_with = error; }

/* The number of threads that the process may still start. */
void faults_threads(long count) {
    threads_left = count;
    are_threads_limited = count >= 0;
}

/* The number of threads that the process may have in addition, at the same time. */
void faults_thread_limit(long count) {
    faults_threads(count);
    do_ended_threads_count = 0;
}

/* Sets the clock of the process. */
void faults_clock(long seconds) {
    is_clock_set = 0;
    clock_offset = seconds - time(NULL);
    is_clock_set = 1;
}

/* The error to return, or 0 to continue. */
static int check_operation(const char *name, const char *path, int error) {
    if (strncmp(path, root, root_length) != 0) return 0;
    /* A kill before a read equals a kill before the next change. On a full disk, files can still be removed. */
    if ((mode == KILL && error == READS) || (mode == FULL && error != ENOSPC)) return 0;
    char line[PATH_MAX + 64];
    int length = snprintf(line, sizeof line, "%s %s\n", name, path + root_length);
    if (!strstr(line, like)) return 0;
    long number = atomic_fetch_add(&operations, 1) + 1;
    if (mode == REFUSE) return refused_with;
    if (mode == COUNT || number < at || (mode != FULL && number > at)) return 0;
    if (number == at && syscall(SYS_write, trace, line, length) < 0) _exit(99);
    if (mode == KILL) {
        kill(getpid(), SIGKILL);
        for (;;) pause();
    }
    return error == READS ? EIO : error;
}

static void path_of(int folder, const char *name, char *path) {
    char link[64];
    path[0] = 0;
    if (name[0] == '/') {
        snprintf(path, PATH_MAX, "%s", name);
        return;
    }
    snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
    ssize_t length = readlink(folder == AT_FDCWD ? "/proc/self/cwd" : link, path, PATH_MAX - 1);
    if (length < 0) length = 0;
    path[length] = 0;
    if (name[0]) snprintf(path + length, PATH_MAX - length, "/%s", name);
}

static int check_operation_at(const char *operation, int folder, const char *name, int error) {
    char path[PATH_MAX];
    if (!armed) return 0;
    int before = errno;
    path_of(folder, name, path);
    errno = before;
    return check_operation(operation, path, error);
}

#define REAL(name) \
    static __typeof__(name) *real; \
    if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)
#define HIT(operation, folder, path, error) \
    do { \
        int hit = check_operation_at(operation, folder, path, error); \
        if (hit) { \
            errno = hit; \
            return -1; \
        } \
    } while (0)
#define MODE \
    mode_t bits = 0; \
    if (flags & (O_CREAT | O_TMPFILE)) { \
        va_list rest; \
        va_start(rest, flags); \
        bits = va_arg(rest, mode_t); \
        va_end(rest); \
    }
#define HIT_OPEN(folder, path) \
    if (flags & O_CREAT) HIT("create", folder, path, ENOSPC); \
    else HIT("open", folder, path, READS)

int open(const char *path, int flags, ...) {
    MODE REAL(open);
    HIT_OPEN(AT_FDCWD, path);
    return real(path, flags, bits);
}
int open64(const char *path, int flags, ...) {
    MODE REAL(open64);
    HIT_OPEN(AT_FDCWD, path);
    return real(path, flags, bits);
}
int openat(int folder, const char *path, int flags, ...) {
    MODE REAL(openat);
    HIT_OPEN(folder, path);
    return real(folder, path, flags, bits);
}
int openat64(int folder, const char *path, int flags, ...) {
    MODE REAL(openat64);
    HIT_OPEN(folder, path);
    return real(folder, path, flags, bits);
}
int rename(const char *from, const char *to) {
    REAL(rename);
    HIT("rename", AT_FDCWD, to, ENOSPC);
    return real(from, to);
}
int mkdir(const char *path, mode_t bits) {
    REAL(mkdir);
    HIT("mkdir", AT_FDCWD, path, ENOSPC);
    return real(path, bits);
}
int unlink(const char *path) {
    REAL(unlink);
    HIT("unlink", AT_FDCWD, path, EIO);
    return real(path);
}
int unlinkat(int folder, const char *path, int flags) {
    REAL(unlinkat);
    HIT(flags & AT_REMOVEDIR ? "rmdir" : "unlink", folder, path, EIO);
    return real(folder, path, flags);
}
int rmdir(const char *path) {
    REAL(rmdir);
    HIT("rmdir", AT_FDCWD, path, EIO);
    return real(path);
}
int fsync(int file) {
    REAL(fsync);
    struct stat status;
    int before = errno;
    int is_folder = armed && fstat(file, &status) == 0 && S_ISDIR(status.st_mode);
    errno = before;
    HIT(is_folder ? "fsync folder" : "fsync file", file, "", EIO);
    return real(file);
}
struct counted_thread { void *(*start)(void *); void *with; };
static void *run_counted(void *argument) {
    struct counted_thread thread = *(struct counted_thread *)argument;
    free(argument);
    void *result = thread.start(thread.with);
    if (!do_ended_threads_count) __atomic_add_fetch(&threads_left, 1, __ATOMIC_SEQ_CST);
    return result;
}
int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *with) {
    REAL(pthread_create);
    if (!are_threads_limited) return real(thread, attributes, start, with);
    if (__atomic_sub_fetch(&threads_left, 1, __ATOMIC_SEQ_CST) < 0) {
        __atomic_add_fetch(&threads_left, 1, __ATOMIC_SEQ_CST);
        return EAGAIN;
    }
    struct counted_thread *counted = malloc(sizeof *counted);
    *counted = (struct counted_thread){start, with};
    return real(thread, attributes, run_counted, counted);
}
int clock_gettime(clockid_t clock, struct timespec *now) {
    REAL(clock_gettime);
    int result = real(clock, now);
    if (is_clock_set && clock == CLOCK_REALTIME) now->tv_sec += clock_offset;
    return result;
}
int ftruncate64(int file, off64_t length) {
    REAL(ftruncate64);
    HIT("truncate", file, "", ENOSPC);
    return real(file, length);
}
ssize_t write(int file, const void *bytes, size_t count) {
    REAL(write);
    HIT("write", file, "", ENOSPC);
    return real(file, bytes, count);
}
ssize_t writev(int file, const struct iovec *parts, int count) {
    REAL(writev);
    HIT("write", file, "", ENOSPC);
    return real(file, parts, count);
}
ssize_t pwrite64(int file, const void *bytes, size_t count, off64_t offset) {
    REAL(pwrite64);
    HIT("write", file, "", ENOSPC);
    return real(file, bytes, count, offset);
}
