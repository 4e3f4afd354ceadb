/* Preloaded into a gateway: calls on files whose path holds ".db" fail as the file FAULTS says.
   Its first word: "read" or "write"; its second one the errno. No file: nothing fails. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static int fails(int fd, const char *kind) {
    const char *name = getenv("FAULTS");
    char link[64], path[4096], text[64];
    if (name == NULL) return 0;
    int file = syscall(SYS_openat, AT_FDCWD, name, O_RDONLY);
    if (file < 0) return 0;
    ssize_t size = syscall(SYS_read, file, text, sizeof text - 1);
    syscall(SYS_close, file);
    if (size <= 0) return 0;
    text[size] = 0;
    if (strncmp(text, kind, strlen(kind)) != 0) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    size = readlink(link, path, sizeof path - 1);
    if (size <= 0) return 0;
    path[size] = 0;
    if (strstr(path, ".db") == NULL || strstr(path, ".lock") != NULL) return 0;
    errno = atoi(strchr(text, ' ') + 1);
    return 1;
}

#define CALL(result, name, kind, parameters, arguments)                       \
    result name parameters {                                                  \
        static result (*real) parameters;                                     \
        if (real == NULL) real = dlsym(RTLD_NEXT, #name);                     \
        return fails(fd, kind) ? -1 : real arguments;                         \
    }

CALL(ssize_t, read, "read", (int fd, void *to, size_t size), (fd, to, size))
CALL(ssize_t, pread, "read", (int fd, void *to, size_t size, off_t at), (fd, to, size, at))
CALL(ssize_t, pread64, "read", (int fd, void *to, size_t size, off64_t at), (fd, to, size, at))
CALL(ssize_t, write, "write", (int fd, const void *from, size_t size), (fd, from, size))
CALL(ssize_t, pwrite, "write", (int fd, const void *from, size_t size, off_t at), (fd, from, size, at))
CALL(ssize_t, pwrite64, "write", (int fd, const void *from, size_t size, off64_t at), (fd, from, size, at))
CALL(int, fsync, "write", (int fd), (fd))
CALL(int, fdatasync, "write", (int fd), (fd))
CALL(int, ftruncate, "write", (int fd, off_t size), (fd, size))
CALL(int, ftruncate64, "write", (int fd, off64_t size), (fd, size))
