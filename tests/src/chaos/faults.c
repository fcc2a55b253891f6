/* Makes writes below one folder fail or fall short, for the process that it is preloaded into (LD_PRELOAD).
 *
 *   CHAOS_DISK_UNDER  the folder
 *   CHAOS_DISK_ERROR  ENOSPC, EIO or SHORT
 *   CHAOS_DISK_PERCENT  in how many of a hundred calls
 *   CHAOS_DISK_SEED  what the dice are made of
 *
 * Descriptors elsewhere (sockets, standard streams, the progress file) are never touched. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static char under[4096];
static size_t under_len;
static int error; /* 0: short writes */
static unsigned percent;
static uint64_t dice;

__attribute__((constructor)) static void begin(void) {
    const char *folder = getenv("CHAOS_DISK_UNDER"), *what = getenv("CHAOS_DISK_ERROR");
    const char *share = getenv("CHAOS_DISK_PERCENT"), *seed = getenv("CHAOS_DISK_SEED");
    if (!folder || !what || !share || strlen(folder) >= sizeof under) return;
    strcpy(under, folder);
    under_len = strlen(folder);
    error = strcmp(what, "ENOSPC") == 0 ? ENOSPC : strcmp(what, "EIO") == 0 ? EIO : 0;
    percent = (unsigned)atoi(share);
    dice = seed ? strtoull(seed, 0, 10) : 1;
}

/* Whether this call on this descriptor is to fail. */
static int hit(int fd) {
    char link[64], path[4096];
    if (!under_len) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n < (ssize_t)under_len || memcmp(path, under, under_len) != 0) return 0;
    uint64_t z = __atomic_add_fetch(&dice, 0x9E3779B97F4A7C15ull, __ATOMIC_RELAXED);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return (z ^ (z >> 31)) % 100 < percent;
}

static void *next(const char *name) { return dlsym(RTLD_NEXT, name); }

/* How much of a write is let through: all, half of it, or -1 for an error. */
static ssize_t share(int fd, size_t bytes) {
    if (!hit(fd)) return (ssize_t)bytes;
    if (error) {
        errno = error;
        return -1;
    }
    return bytes > 1 ? (ssize_t)(bytes / 2) : (ssize_t)bytes;
}

ssize_t write(int fd, const void *from, size_t bytes) {
    ssize_t some = share(fd, bytes);
    return some < 0 ? -1 : ((ssize_t(*)(int, const void *, size_t))next("write"))(fd, from, (size_t)some);
}

#define PWRITE(name, offset)                                                                       \
    ssize_t name(int fd, const void *from, size_t bytes, offset at) {                              \
        ssize_t some = share(fd, bytes);                                                           \
        return some < 0 ? -1                                                                       \
                        : ((ssize_t(*)(int, const void *, size_t, offset))next(#name))(fd, from, (size_t)some, at); \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

ssize_t writev(int fd, const struct iovec *from, int count) {
    if (hit(fd)) {
        if (error) {
            errno = error;
            return -1;
        }
        if (count > 1) count = 1;
    }
    return ((ssize_t(*)(int, const struct iovec *, int))next("writev"))(fd, from, count);
}

/* Calls that only succeed or fail: short writes mean nothing to them. */
#define FAILS(type, name, parameters, arguments, how)                                              \
    type name parameters {                                                                         \
        if (error && hit(fd)) {                                                                    \
            how;                                                                                   \
        }                                                                                          \
        return ((type(*) parameters)next(#name))arguments;                                         \
    }
FAILS(int, ftruncate, (int fd, off_t bytes), (fd, bytes), errno = error; return -1)
FAILS(int, ftruncate64, (int fd, off64_t bytes), (fd, bytes), errno = error; return -1)
FAILS(int, posix_fallocate, (int fd, off_t at, off_t bytes), (fd, at, bytes), return error)
FAILS(int, posix_fallocate64, (int fd, off64_t at, off64_t bytes), (fd, at, bytes), return error)
FAILS(int, fallocate, (int fd, int mode, off_t at, off_t bytes), (fd, mode, at, bytes), errno = error; return -1)
FAILS(int, fallocate64, (int fd, int mode, off64_t at, off64_t bytes), (fd, mode, at, bytes), errno = error; return -1)
/* A sync has no room to run out of. */
FAILS(int, fsync, (int fd), (fd), if (error == EIO) { errno = EIO; return -1; })
FAILS(int, fdatasync, (int fd), (fd), if (error == EIO) { errno = EIO; return -1; })
