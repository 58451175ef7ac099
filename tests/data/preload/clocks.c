/* Prints what each clock and each file time shows, and whether waits for a deadline wait. */
#define _GNU_SOURCE
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>

static struct timespec soon(void)
{
    struct timespec when;
    clock_gettime(CLOCK_REALTIME, &when);
    when.tv_nsec += 200000000;
    if (when.tv_nsec >= 1000000000) { when.tv_sec++; when.tv_nsec -= 1000000000; }
    return when;
}

static double steady(void)
{
    struct timespec when;
    clock_gettime(CLOCK_MONOTONIC, &when);
    return when.tv_sec + when.tv_nsec / 1e9;
}

#define SHOW(name, value) printf("%s %ld\n", name, (long)(value))
#define WAITED(name, wait)                                                      \
    {                                                                           \
        struct timespec until = soon();                                         \
        double start = steady(), took;                                          \
        wait;                                                                   \
        took = steady() - start;                                                \
        printf("%s %s\n", name, took > 0.15 && took < 5 ? "waited" : "did not"); \
    }

int main(void)
{
    struct stat s; struct statx x; struct timespec t; struct timeval v; struct timezone z;
    SHOW("time", time(NULL));
    clock_gettime(CLOCK_REALTIME_COARSE, &t); SHOW("coarse", t.tv_sec);
    timespec_get(&t, TIME_UTC); SHOW("timespec_get", t.tv_sec);
    gettimeofday(&v, NULL); SHOW("gettimeofday", v.tv_sec);
    gettimeofday(NULL, &z); SHOW("zone", z.tz_minuteswest);
    stat("made", &s); SHOW("stat", s.st_mtime); SHOW("ctime", s.st_ctime);
    lstat("made", &s); SHOW("lstat", s.st_mtime);
    fstatat(-100, "made", &s, 0); SHOW("fstatat", s.st_mtime);
    FILE *f = fopen("made", "r"); fstat(fileno(f), &s); SHOW("fstat", s.st_mtime);
    statx(-100, "made", 0, STATX_ALL, &x); SHOW("statx", x.stx_mtime.tv_sec);
    SHOW("birth", x.stx_btime.tv_sec);
    SHOW("missing", stat("missing", &s));
    sem_t m; sem_init(&m, 0, 0);
    pthread_mutex_t l = PTHREAD_MUTEX_INITIALIZER; pthread_cond_t c = PTHREAD_COND_INITIALIZER;
    pthread_mutex_lock(&l);
    WAITED("semaphore", sem_timedwait(&m, &until));
    WAITED("condition", pthread_cond_timedwait(&c, &l, &until));
    WAITED("mutex", pthread_mutex_timedlock(&l, &until));
    WAITED("sleep", clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &until, NULL));
    return 0;
}
