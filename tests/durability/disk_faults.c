/* Preloaded into a node, fails calls on its data file (any name with "backup.db" in it) while a control file is there.
 *
 * The control file, named by DISK_FAULTS, holds words: ENOSPC, EIO or EROFS, the error; write, sync, truncate, the calls
 * that fail; main, where only the file proper is meant and not its log; once, where the first call that fails takes the
 * control file away. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static int fails(int fd, const char *call) {
    const char *control = getenv("DISK_FAULTS");
    int before = errno;
    int file = control == NULL ? -1 : open(control, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        errno = before;
        return 0;
    }
    char words[128] = "", link[64], name[4096] = "";
    ssize_t length = syscall(SYS_read, file, words, sizeof words - 1);
    close(file);
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t name_length = readlink(link, name, sizeof name - 1);
    errno = before;
    if (length <= 0 || name_length <= 0 || strstr(words, call) == NULL) return 0;
    const char *found = strstr(name, "/backup.db");
    if (found == NULL || (strstr(words, "main") != NULL && strcmp(found, "/backup.db") != 0)) return 0;
    if (strstr(words, "once") != NULL) unlink(control);
    errno = strstr(words, "EIO") != NULL ? EIO : strstr(words, "EROFS") != NULL ? EROFS : ENOSPC;
    return 1;
}

ssize_t write(int fd, const void *bytes, size_t count) {
    return fails(fd, "write") ? -1 : syscall(SYS_write, fd, bytes, count);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset) {
    return fails(fd, "write") ? -1 : syscall(SYS_pwrite64, fd, bytes, count, offset);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset) {
    return pwrite64(fd, bytes, count, offset);
}

int fsync(int fd) {
    return fails(fd, "sync") ? -1 : syscall(SYS_fsync, fd);
}

int fdatasync(int fd) {
    return fails(fd, "sync") ? -1 : syscall(SYS_fdatasync, fd);
}

int ftruncate64(int fd, off64_t length) {
    return fails(fd, "truncate") ? -1 : syscall(SYS_ftruncate, fd, length);
}

int ftruncate(int fd, off_t length) {
    return ftruncate64(fd, length);
}
