/* A disk that forgets, for LD_PRELOAD: what a process writes below STETHOS_DISK is mirrored below STETHOS_PLATTER as
 * far as it was synced, and no further. After a kill the platter is what a loss of power would have left.
 *
 *   data/<id>      a file's bytes as of its last fsync or fdatasync
 *   names/%<dir>   a directory as of its last fsync: lines "<id> <name>", "d <name>"; a '/' in <dir> is '%'
 *
 * The driver makes disk and platter the same before it starts a process, with inode numbers for ids. A file that is
 * made later has an id of its own, so that a name on the platter goes on meaning what it meant until the directory is
 * synced. SQLite's -shm is only ever mapped, and therefore never durable. STETHOS_CONTROL names a file of struct
 * control, mapped here and changed by the test at any time. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { FDS = 4096, FILES = 1024, COPY = 1 << 16 };

struct control {
    int64_t fsync_delay_ms; /* every sync takes so much longer */
    int64_t clock_ns;       /* clock.c's */
    int64_t syncs;          /* counted here */
    int64_t write_fault;    /* errno of every write and truncation below the disk; 0: they are done */
};

struct file {
    dev_t dev;
    ino_t ino;
    long id;
    off_t from, to; /* written since the last sync; nothing if from >= to */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct file files[FILES];
static int files_n;
static struct file *open_file[FDS];
static bool open_dir[FDS];
static long next_id = 1L << 48; /* above every inode number */
static char disk[PATH_MAX], platter[PATH_MAX];
static size_t disk_n;
static struct control calm, *control = &calm;

static int (*real_open)(const char *, int, ...);
static int (*real_close)(int);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_ftruncate)(int, off_t);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);

static void die(const char *what) {
    fprintf(stderr, "powerloss: %s: %s\n", what, strerror(errno));
    abort();
}

static void find(void *function, const char *name) {
    void *found = dlsym(RTLD_NEXT, name);
    if (found == NULL) {
        die(name);
    }
    memcpy(function, &found, sizeof found);
}

static struct file *add_file(const struct stat *status, long id) {
    if (files_n == FILES) {
        die("too many files");
    }
    files[files_n] = (struct file){.dev = status->st_dev, .ino = status->st_ino, .id = id};
    return &files[files_n++];
}

/* The newest file of this number: those that were there before this process go by their inode's. */
static struct file *file_of(const struct stat *status) {
    for (int i = files_n - 1; i >= 0; i--) {
        if (files[i].dev == status->st_dev && files[i].ino == status->st_ino) {
            return &files[i];
        }
    }
    return add_file(status, (long)status->st_ino);
}

/* The path below the disk, "" for itself; NULL for what lies elsewhere. */
static const char *below(const char *path) {
    if (disk_n == 0 || strncmp(path, disk, disk_n) != 0 || (path[disk_n] != '/' && path[disk_n] != '\0')) {
        return NULL;
    }
    return path[disk_n] == '/' ? path + disk_n + 1 : path + disk_n;
}

static void names_path(char *out, const char *directory) {
    const int head = snprintf(out, PATH_MAX, "%s/names/", platter);
    snprintf(out + head, PATH_MAX - (size_t)head, "%%%s", directory);
    for (char *at = out + head + 1; *at != '\0'; at++) {
        if (*at == '/') {
            *at = '%';
        }
    }
}

__attribute__((constructor)) static void begin(void) {
    const char *where = getenv("STETHOS_DISK"), *mirror = getenv("STETHOS_PLATTER");
    const char *shared = getenv("STETHOS_CONTROL");
    find(&real_open, "open");
    find(&real_close, "close");
    find(&real_fsync, "fsync");
    find(&real_fdatasync, "fdatasync");
    find(&real_ftruncate, "ftruncate");
    find(&real_write, "write");
    find(&real_pwrite, "pwrite");
    if (shared != NULL) {
        const int fd = real_open(shared, O_RDWR | O_CLOEXEC);
        control = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (fd < 0 || control == MAP_FAILED) {
            die(shared);
        }
        real_close(fd);
    }
    if (where != NULL && mirror != NULL) {
        snprintf(platter, sizeof platter, "%s", mirror);
        snprintf(disk, sizeof disk, "%s", where);
        disk_n = strlen(disk);
    }
}

static void dirty(int fd, off_t from, off_t to) {
    if (fd < 0 || fd >= FDS || from >= to) {
        return;
    }
    pthread_mutex_lock(&lock);
    struct file *file = open_file[fd];
    if (file != NULL) {
        const bool clean = file->from >= file->to;
        file->from = clean || from < file->from ? from : file->from;
        file->to = clean || to > file->to ? to : file->to;
    }
    pthread_mutex_unlock(&lock);
}

static void opened(int fd, const char *path, int flags, bool existed) {
    char whole[PATH_MAX], link[64];
    struct stat status;
    if (fd < 0 || fd >= FDS || disk_n == 0 || strstr(path, platter) == path) {
        return;
    }
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    const ssize_t n = readlink(link, whole, sizeof whole - 1);
    if (n <= 0 || fstat(fd, &status) != 0) {
        return;
    }
    whole[n] = '\0';
    if (below(whole) == NULL) {
        return;
    }
    pthread_mutex_lock(&lock);
    open_dir[fd] = S_ISDIR(status.st_mode);
    if (S_ISREG(status.st_mode)) {
        open_file[fd] = existed ? file_of(&status) : add_file(&status, next_id++);
        if (flags & O_TRUNC) {
            open_file[fd]->from = 0;
            open_file[fd]->to = 1;
        }
    }
    pthread_mutex_unlock(&lock);
}

static int open_as(const char *path, int flags, mode_t mode) {
    struct stat status;
    const bool existed = !(flags & O_CREAT) || stat(path, &status) == 0;
    const int fd = real_open(path, flags, mode);
    const int fault = errno;
    opened(fd, path, flags, existed);
    errno = fault;
    return fd;
}

int open(const char *path, int flags, ...) {
    mode_t mode = 0;
    if (flags & O_CREAT) {
        va_list arguments;
        va_start(arguments, flags);
        mode = va_arg(arguments, mode_t);
        va_end(arguments);
    }
    return open_as(path, flags, mode);
}

int open64(const char *path, int flags, ...) __attribute__((alias("open")));

int close(int fd) {
    if (fd >= 0 && fd < FDS) {
        pthread_mutex_lock(&lock);
        open_file[fd] = NULL;
        open_dir[fd] = false;
        pthread_mutex_unlock(&lock);
    }
    return real_close(fd);
}

static bool refused(int fd) {
    if (control->write_fault == 0 || fd < 0 || fd >= FDS || open_file[fd] == NULL) {
        return false;
    }
    errno = (int)control->write_fault;
    return true;
}

ssize_t write(int fd, const void *data, size_t n) {
    if (refused(fd)) {
        return -1;
    }
    const ssize_t written = real_write(fd, data, n);
    if (written > 0 && fd >= 0 && fd < FDS && open_file[fd] != NULL) {
        const off_t at = lseek(fd, 0, SEEK_CUR);
        dirty(fd, at - written, at);
    }
    return written;
}

ssize_t pwrite(int fd, const void *data, size_t n, off_t at) {
    if (refused(fd)) {
        return -1;
    }
    const ssize_t written = real_pwrite(fd, data, n, at);
    dirty(fd, at, at + (written > 0 ? written : 0));
    return written;
}

ssize_t pwrite64(int fd, const void *data, size_t n, off64_t at) {
    return pwrite(fd, data, n, at);
}

int ftruncate(int fd, off_t size) {
    if (refused(fd)) {
        return -1;
    }
    const int done = real_ftruncate(fd, size);
    dirty(fd, size > 0 ? size - 1 : 0, size > 0 ? size : 1); /* the sync takes over the size, too */
    return done;
}

int ftruncate64(int fd, off64_t size) {
    return ftruncate(fd, size);
}

/* Bytes and size of one file, as they are now. Only what cannot be read is opened once more: closing a file gives up
 * all locks that the process has on it. */
static void keep_file(int fd, struct file *file) {
    static char buffer[COPY];
    char path[PATH_MAX];
    struct stat status;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    const bool blind = (fcntl(fd, F_GETFL) & O_ACCMODE) == O_WRONLY;
    const int in = blind ? real_open(path, O_RDONLY | O_CLOEXEC) : fd;
    snprintf(path, sizeof path, "%.*s/data/%ld", PATH_MAX - 32, platter, file->id);
    const int out = real_open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (out < 0 || fstat(fd, &status) != 0) {
        die(path);
    }
    const off_t end = file->to < status.st_size ? file->to : status.st_size;
    for (off_t at = file->from; at < end;) {
        const size_t left = (size_t)(end - at);
        const ssize_t n = pread(in, buffer, left < COPY ? left : COPY, at);
        if (n <= 0 || real_pwrite(out, buffer, (size_t)n, at) != n) {
            die(path);
        }
        at += n;
    }
    if (real_ftruncate(out, status.st_size) != 0 || fchmod(out, status.st_mode & 07777) != 0) {
        die(path);
    }
    real_close(out);
    if (blind) {
        real_close(in);
    }
    file->from = file->to = 0;
}

/* The names in one directory, as they are now. */
static void keep_names(int fd) {
    char path[PATH_MAX], whole[PATH_MAX], fresh[PATH_MAX + 8], link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    const ssize_t n = readlink(link, whole, sizeof whole - 1);
    whole[n > 0 ? n : 0] = '\0';
    const char *directory = below(whole);
    DIR *all = directory != NULL ? opendir(whole) : NULL;
    if (all == NULL) {
        die(whole);
    }
    names_path(path, directory);
    snprintf(fresh, sizeof fresh, "%s.new", path);
    FILE *out = fopen(fresh, "w");
    if (out == NULL) {
        die(fresh);
    }
    for (const struct dirent *entry; (entry = readdir(all)) != NULL;) {
        struct stat status;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
            fstatat(fd, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
            continue;
        }
        if (S_ISDIR(status.st_mode)) {
            fprintf(out, "d %s\n", entry->d_name);
        } else if (S_ISREG(status.st_mode)) {
            fprintf(out, "%ld %s\n", file_of(&status)->id, entry->d_name);
        }
    }
    closedir(all);
    if (fclose(out) != 0 || rename(fresh, path) != 0) {
        die(path);
    }
}

static int keep(int fd, int (*sync)(int)) {
    if (control->fsync_delay_ms > 0) {
        const int64_t ms = control->fsync_delay_ms;
        nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
    }
    __atomic_add_fetch(&control->syncs, 1, __ATOMIC_RELAXED);
    if (fd >= 0 && fd < FDS && (open_dir[fd] || open_file[fd] != NULL)) {
        pthread_mutex_lock(&lock);
        if (open_dir[fd]) {
            keep_names(fd);
        } else if (open_file[fd] != NULL) {
            keep_file(fd, open_file[fd]);
        }
        pthread_mutex_unlock(&lock);
    }
    return disk_n == 0 ? sync(fd) : 0; /* the platter stands for the disk */
}

int fsync(int fd) {
    return keep(fd, real_fsync);
}

int fdatasync(int fd) {
    return keep(fd, real_fdatasync);
}
