/* Fails one system call of a process, or all from one on; preload it with LD_PRELOAD.

   FAIL_CALL   open, read, write, fsync, rename or mkdir
   FAIL_NTH    which call on a matching path fails, from 1; 0 fails none and counts them
   FAIL_ERRNO  the error number; 5 (EIO) by default
   FAIL_PATH   only paths that hold this text; all files under FAIL_ROOT otherwise
   FAIL_ROOT   only paths that begin so
   FAIL_ON     1: all calls from the n-th on fail, as on a full disk
   FAIL_COUNT  a file that gets a byte for every call counted

   Files are told by /proc/self/fd, so what libraries open by any name is counted too. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static long seen;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static void count(void) {
    const char *file = getenv("FAIL_COUNT");
    if (!file) return;
    int fd = REAL(open)(file, O_WRONLY | O_APPEND | O_CREAT, 0600);
    if (fd >= 0) { REAL(write)(fd, ".", 1); close(fd); }
}

static int fails(const char *call, const char *path) {
    const char *wanted = getenv("FAIL_CALL"), *part = getenv("FAIL_PATH");
    const char *root = getenv("FAIL_ROOT"), *nth = getenv("FAIL_NTH");
    if (!wanted || !path || !nth || strcmp(wanted, call)) return 0;
    if (root && strncmp(path, root, strlen(root))) return 0;
    if (part && !strstr(path, part)) return 0;
    long now = __sync_add_and_fetch(&seen, 1), at = atol(nth);
    count();
    if (at == 0 || (getenv("FAIL_ON") ? now < at : now != at)) return 0;
    errno = getenv("FAIL_ERRNO") ? atoi(getenv("FAIL_ERRNO")) : EIO;
    return 1;
}

static int fd_fails(const char *call, int fd) {
    char link[64], path[4096];
    if (!getenv("FAIL_CALL") || fd <= 2) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n <= 0) return 0;
    path[n] = 0;
    return fails(call, path);
}

#define OPEN(name)                                                                  \
    int name(const char *path, int flags, ...) {                                    \
        va_list rest;                                                               \
        va_start(rest, flags);                                                      \
        mode_t mode = va_arg(rest, mode_t);                                         \
        va_end(rest);                                                               \
        return fails("open", path) ? -1 : REAL(name)(path, flags, mode);            \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                                \
    int name(int at, const char *path, int flags, ...) {                            \
        va_list rest;                                                               \
        va_start(rest, flags);                                                      \
        mode_t mode = va_arg(rest, mode_t);                                         \
        va_end(rest);                                                               \
        return fails("open", path) ? -1 : REAL(name)(at, path, flags, mode);        \
    }
OPENAT(openat)
OPENAT(openat64)

FILE *fopen(const char *path, const char *mode) {
    return fails("open", path) ? NULL : REAL(fopen)(path, mode);
}
FILE *fopen64(const char *path, const char *mode) {
    return fails("open", path) ? NULL : REAL(fopen64)(path, mode);
}
ssize_t read(int fd, void *to, size_t size) {
    return fd_fails("read", fd) ? -1 : REAL(read)(fd, to, size);
}
ssize_t pread(int fd, void *to, size_t size, off_t at) {
    return fd_fails("read", fd) ? -1 : REAL(pread)(fd, to, size, at);
}
ssize_t pread64(int fd, void *to, size_t size, off64_t at) {
    return fd_fails("read", fd) ? -1 : REAL(pread64)(fd, to, size, at);
}
ssize_t preadv(int fd, const struct iovec *to, int parts, off_t at) {
    return fd_fails("read", fd) ? -1 : REAL(preadv)(fd, to, parts, at);
}
size_t fread(void *to, size_t size, size_t items, FILE *file) {
    return fd_fails("read", fileno(file)) ? 0 : REAL(fread)(to, size, items, file);
}
ssize_t write(int fd, const void *from, size_t size) {
    return fd_fails("write", fd) ? -1 : REAL(write)(fd, from, size);
}
ssize_t pwrite(int fd, const void *from, size_t size, off_t at) {
    return fd_fails("write", fd) ? -1 : REAL(pwrite)(fd, from, size, at);
}
ssize_t pwrite64(int fd, const void *from, size_t size, off64_t at) {
    return fd_fails("write", fd) ? -1 : REAL(pwrite64)(fd, from, size, at);
}
size_t fwrite(const void *from, size_t size, size_t items, FILE *file) {
    return fd_fails("write", fileno(file)) ? 0 : REAL(fwrite)(from, size, items, file);
}
int fsync(int fd) { return fd_fails("fsync", fd) ? -1 : REAL(fsync)(fd); }
int rename(const char *from, const char *to) {
    return fails("rename", to) ? -1 : REAL(rename)(from, to);
}
int mkdir(const char *path, mode_t mode) {
    return fails("mkdir", path) ? -1 : REAL(mkdir)(path, mode);
}
