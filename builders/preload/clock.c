/*
 * The declared clock: every dynamically linked program of a build reads the time of the recipe.
 *
 * /samebits/clock holds `frozen <seconds> [<then>]` or `advancing <seconds>` (since 1970, UTC). The
 * file is laid out before any other, so what has a time at or after its own was made for the build
 * or by it, and shows the declared time; sources keep theirs. The clock advances from the moment at
 * which the host opened the gate. With `then`, whatever is not older than the file THEN, which the
 * build makes between its two steps, shows that time. Monotonic clocks stay real, so that sleeps
 * and timeouts end.
 *
 * Only system calls are used, no library: one file then serves every glibc for amd64, of any age.
 * The functions are those of POSIX, and glibc's older and 64-bit names of them; on amd64 the
 * kernel's `struct stat` is the one of the C library.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timeb.h>
#include <time.h>
#include <unistd.h>

#undef stat64
#undef lstat64
#undef fstat64
#undef fstatat64

#define PUBLIC __attribute__((visibility("default")))
#define ALIAS(name) __attribute__((visibility("default"), alias(name)))
#define WEAK __attribute__((weak))
#define SECOND 1000000000L
#define NO_CLOCK 70
/* A deadline before 1985 counts from the start of the machine: no clock is declared so early. */
#define EARLIEST 473385600L

static const char CLOCK_FILE[] = "/samebits/clock";
static const char GATE[] = "/samebits/gate";
static const char THEN[] = "/tmp/home/.samebits-then";

static volatile int ready;
static int advancing;
static time_t declared;
static time_t then;              /* 0: there is no second step */
static struct timespec laid_out; /* what is older is a source */
static struct timespec opened;   /* when the declared clock starts to advance */

/* This and the next one are used by programs.c too. */

long call(long number, long a, long b, long c, long d, long e)
{
    long result;
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;

    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
                     : "rcx", "r11", "memory");
    return result;
}

int answer(long result)
{
    if (result < 0 && result > -4096) {
        errno = (int)-result;
        return -1;
    }
    return (int)result;
}

static int earlier(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec < b->tv_sec || (a->tv_sec == b->tv_sec && a->tv_nsec < b->tv_nsec);
}

static void give_up(const char *text, long size)
{
    call(SYS_write, 2, (long)text, size, 0, 0);
    call(SYS_exit_group, NO_CLOCK, 0, 0, 0, 0);
}

static long raw_stat(int folder, const char *path, struct stat *found, int flags)
{
    return call(SYS_newfstatat, folder, (long)path, (long)found, flags, 0);
}

/* Reads the number that comes next, and goes past it; 0 where there is none. */
static time_t next_number(const char **text)
{
    time_t found = 0;

    while (**text && (**text < '0' || **text > '9'))
        ++*text;
    for (; **text >= '0' && **text <= '9'; ++*text)
        found = found * 10 + (**text - '0');
    return found;
}

/* A program that cannot read its clock ends: the real time would go unnoticed into what it makes. */
static void __attribute__((constructor)) learn(void)
{
    static const char unread[] = "samebits: error: the declared clock cannot be read\n";
    char text[64] = {0};
    const char *next = text;
    struct stat clock_file, gate;
    time_t first, second;
    long file;

    if (ready)
        return;
    file = call(SYS_openat, AT_FDCWD, (long)CLOCK_FILE, O_RDONLY | O_CLOEXEC, 0, 0);
    if (file >= 0) {
        call(SYS_read, file, (long)text, sizeof text - 1, 0, 0);
        call(SYS_close, file, 0, 0, 0, 0);
    }
    first = next_number(&next);
    second = next_number(&next);
    if (first <= 0 || raw_stat(AT_FDCWD, CLOCK_FILE, &clock_file, 0) < 0 ||
        raw_stat(AT_FDCWD, GATE, &gate, 0) < 0) {
        give_up(unread, sizeof unread - 1);
        return;
    }
    advancing = text[0] == 'a';
    declared = first;
    then = second;
    laid_out = clock_file.st_mtim;
    opened = gate.st_mtim;
    ready = 1;
}

/* The declared time of a real one that is not older than the build. */
static void declare(struct timespec *when)
{
    struct timespec passed = {0, 0};
    time_t start = declared;
    struct stat step;

    if (then && raw_stat(AT_FDCWD, THEN, &step, 0) == 0 && !earlier(when, &step.st_mtim))
        start = then;
    if (advancing && earlier(&opened, when)) {
        passed.tv_sec = when->tv_sec - opened.tv_sec;
        passed.tv_nsec = when->tv_nsec - opened.tv_nsec;
        if (passed.tv_nsec < 0) {
            passed.tv_sec -= 1;
            passed.tv_nsec += SECOND;
        }
    }
    when->tv_sec = start + passed.tv_sec;
    when->tv_nsec = passed.tv_nsec;
}

static long read_clock(clockid_t id, struct timespec *when)
{
    long result = call(SYS_clock_gettime, id, (long)when, 0, 0, 0);

    if (result == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE || id == CLOCK_TAI ||
                        id == CLOCK_REALTIME_ALARM)) {
        learn();
        declare(when);
    }
    return result;
}

PUBLIC int clock_gettime(clockid_t id, struct timespec *when)
{
    return answer(read_clock(id, when));
}

PUBLIC time_t time(time_t *into)
{
    struct timespec when;

    read_clock(CLOCK_REALTIME, &when);
    if (into)
        *into = when.tv_sec;
    return when.tv_sec;
}

/* Under another name: the header lets the compiler believe that `into` is never null. */
PUBLIC int time_of_day(struct timeval *into, struct timezone *zone) __asm__("gettimeofday");

int time_of_day(struct timeval *into, struct timezone *zone)
{
    struct timespec when;

    read_clock(CLOCK_REALTIME, &when);
    if (into) {
        into->tv_sec = when.tv_sec;
        into->tv_usec = when.tv_nsec / 1000;
    }
    if (zone)
        *zone = (struct timezone){0, 0};
    return 0;
}

PUBLIC int timespec_get(struct timespec *when, int base)
{
    if (base != TIME_UTC)
        return 0;
    read_clock(CLOCK_REALTIME, when);
    return base;
}

PUBLIC int ftime(struct timeb *into)
{
    struct timespec when;

    read_clock(CLOCK_REALTIME, &when);
    *into = (struct timeb){.time = when.tv_sec, .millitm = (unsigned short)(when.tv_nsec / 1000000)};
    return 0;
}

/* Deadlines by the declared clock become deadlines by the monotonic one: as far ahead, and real. */

static int by_monotonic(struct timespec *deadline, const struct timespec *asked)
{
    struct timespec now, here;

    if (asked->tv_sec < EARLIEST)
        return 0;
    read_clock(CLOCK_REALTIME, &now);
    call(SYS_clock_gettime, CLOCK_MONOTONIC, (long)&here, 0, 0, 0);
    deadline->tv_sec = here.tv_sec + asked->tv_sec - now.tv_sec;
    deadline->tv_nsec = here.tv_nsec + asked->tv_nsec - now.tv_nsec;
    if (deadline->tv_nsec < 0) {
        deadline->tv_sec -= 1;
        deadline->tv_nsec += SECOND;
    } else if (deadline->tv_nsec >= SECOND) {
        deadline->tv_sec += 1;
        deadline->tv_nsec -= SECOND;
    }
    if (deadline->tv_sec < 0)
        *deadline = (struct timespec){0, 0};
    return 1;
}

extern int sem_clockwait(sem_t *restrict, clockid_t, const struct timespec *restrict) WEAK;
extern int pthread_cond_clockwait(pthread_cond_t *restrict, pthread_mutex_t *restrict, clockid_t,
                                  const struct timespec *restrict) WEAK;
extern int pthread_mutex_clocklock(pthread_mutex_t *restrict, clockid_t,
                                   const struct timespec *restrict) WEAK;

PUBLIC int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict asked)
{
    struct timespec deadline = *asked;

    if (!sem_clockwait) {
        errno = ENOSYS;
        return -1;
    }
    by_monotonic(&deadline, asked);
    return sem_clockwait(semaphore, CLOCK_MONOTONIC, &deadline);
}

PUBLIC int pthread_cond_timedwait(pthread_cond_t *restrict condition,
                                  pthread_mutex_t *restrict mutex,
                                  const struct timespec *restrict asked)
{
    struct timespec deadline = *asked;

    if (!pthread_cond_clockwait)
        return ENOSYS;
    by_monotonic(&deadline, asked);
    return pthread_cond_clockwait(condition, mutex, CLOCK_MONOTONIC, &deadline);
}

PUBLIC int pthread_mutex_timedlock(pthread_mutex_t *restrict mutex,
                                   const struct timespec *restrict asked)
{
    struct timespec deadline = *asked;

    if (!pthread_mutex_clocklock)
        return ENOSYS;
    by_monotonic(&deadline, asked);
    return pthread_mutex_clocklock(mutex, CLOCK_MONOTONIC, &deadline);
}

PUBLIC int clock_nanosleep(clockid_t id, int flags, const struct timespec *asked,
                           struct timespec *left)
{
    struct timespec deadline = *asked;

    if (id == CLOCK_REALTIME && (flags & TIMER_ABSTIME) && by_monotonic(&deadline, asked))
        id = CLOCK_MONOTONIC;
    return (int)-call(SYS_clock_nanosleep, id, flags, (long)&deadline, (long)left, 0);
}

/* Files. What is set to a time on purpose is older than the build, and shows it as it is. */

static void show(struct timespec *when)
{
    if (!earlier(when, &laid_out))
        declare(when);
}

static int shown(long result, struct stat *found)
{
    if (result == 0) {
        learn();
        show(&found->st_atim);
        show(&found->st_mtim);
        show(&found->st_ctim);
    }
    return answer(result);
}

/* None of these calls another by its public name: another preload may stand in between. */

PUBLIC int stat(const char *restrict path, struct stat *restrict found)
{
    return shown(raw_stat(AT_FDCWD, path, found, 0), found);
}

PUBLIC int lstat(const char *restrict path, struct stat *restrict found)
{
    return shown(raw_stat(AT_FDCWD, path, found, AT_SYMLINK_NOFOLLOW), found);
}

PUBLIC int fstat(int file, struct stat *found)
{
    return shown(call(SYS_fstat, file, (long)found, 0, 0, 0), found);
}

PUBLIC int fstatat(int folder, const char *restrict path, struct stat *restrict found, int flags)
{
    return shown(raw_stat(folder, path, found, flags), found);
}

ALIAS("stat") int stat64(const char *restrict, struct stat64 *restrict);
ALIAS("lstat") int lstat64(const char *restrict, struct stat64 *restrict);
ALIAS("fstat") int fstat64(int, struct stat64 *);
ALIAS("fstatat") int fstatat64(int, const char *restrict, struct stat64 *restrict, int);

/* The names that programs built before glibc 2.33 call; the version says nothing on amd64. */

PUBLIC int __xstat(int version, const char *path, struct stat *found)
{
    (void)version;
    return shown(raw_stat(AT_FDCWD, path, found, 0), found);
}

PUBLIC int __lxstat(int version, const char *path, struct stat *found)
{
    (void)version;
    return shown(raw_stat(AT_FDCWD, path, found, AT_SYMLINK_NOFOLLOW), found);
}

PUBLIC int __fxstat(int version, int file, struct stat *found)
{
    (void)version;
    return shown(call(SYS_fstat, file, (long)found, 0, 0, 0), found);
}

PUBLIC int __fxstatat(int version, int folder, const char *path, struct stat *found, int flags)
{
    (void)version;
    return shown(raw_stat(folder, path, found, flags), found);
}

ALIAS("__xstat") int __xstat64(int, const char *, struct stat *);
ALIAS("__lxstat") int __lxstat64(int, const char *, struct stat *);
ALIAS("__fxstat") int __fxstat64(int, int, struct stat *);
ALIAS("__fxstatat") int __fxstatat64(int, int, const char *, struct stat *, int);

static void show_statx(struct statx_timestamp *when)
{
    struct timespec exact = {.tv_sec = when->tv_sec, .tv_nsec = when->tv_nsec};

    show(&exact);
    when->tv_sec = exact.tv_sec;
    when->tv_nsec = (unsigned int)exact.tv_nsec;
}

PUBLIC int statx(int folder, const char *restrict path, int flags, unsigned int mask,
                 struct statx *restrict found)
{
    long result = call(SYS_statx, folder, (long)path, flags, mask, (long)found);

    if (result == 0) {
        learn();
        show_statx(&found->stx_atime);
        show_statx(&found->stx_btime);
        show_statx(&found->stx_ctime);
        show_statx(&found->stx_mtime);
    }
    return answer(result);
}
