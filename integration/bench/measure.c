/*
 * Times command sequences in paired, interleaved rounds.
 *
 *   measure ROUNDS WARMUPS <plan >samples
 *
 * A line of the plan: CASE CANDIDATE COMMAND [ARG...] [; COMMAND [ARG...]]...   (words without quoting)
 * A line of samples:  CASE CANDIDATE NANOSECONDS PEAK-RSS-KIB CPU-MICROSECONDS
 *
 * Every case goes through its candidates in turn, A B C A B C, so that a slow moment of the machine hits all.
 * A sample is the whole sequence, and after each command the processes that it left behind and
 * that ended up as ours (we are a subreaper): a container is `deleted` once its payload has ended, never
 * while it may still be running. Peak RSS is the greatest of the commands and what they waited for; the CPU
 * time is the sum of all that was waited for, and tells more than the clock on a machine that is busy.
 *
 * The child does nothing between vfork and execve, so that what strace counts is the command's.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_LINES = 64, MAX_WORDS = 64, MAX_LINE = 4096 };

struct line {
    char text[MAX_LINE];
    char *words[MAX_WORDS]; /* [0] the case, [1] the candidate; NULL ends each command, two NULLs the last */
};

static struct line plan[MAX_LINES];

static void fail(const struct line *line, char **command, const char *why)
{
    fprintf(stderr, "measure: %s, %s: %s %s: %s\n", line->words[0], line->words[1], command[0],
            command[1] ? command[1] : "", why);
    exit(1);
}

static int read_plan(void)
{
    int lines = 0;
    while (lines < MAX_LINES && fgets(plan[lines].text, MAX_LINE, stdin)) {
        struct line *line = &plan[lines];
        int words = 0;
        for (char *word = strtok(line->text, " \n"); word && words < MAX_WORDS - 2; word = strtok(NULL, " \n"))
            line->words[words++] = strcmp(word, ";") ? word : NULL;
        if (words > 2)
            lines++;
    }
    return lines;
}

struct sample {
    long peak_kib, cpu_microseconds;
};

static long microseconds(struct timeval time)
{
    return time.tv_sec * 1000000L + time.tv_usec;
}

static void account(struct sample *sample, const struct rusage *usage)
{
    if (usage->ru_maxrss > sample->peak_kib)
        sample->peak_kib = usage->ru_maxrss;
    sample->cpu_microseconds += microseconds(usage->ru_utime) + microseconds(usage->ru_stime);
}

/* What is left of a command are its grandchildren: a container's init after `start`. */
static void reap_orphans(struct sample *sample)
{
    struct rusage usage;
    while (wait4(-1, NULL, 0, &usage) != -1)
        sample->cpu_microseconds += microseconds(usage.ru_utime) + microseconds(usage.ru_stime);
}

/* What `create` leaves behind waits for `start`, and would be waited for in vain. */
static int leaves_waiting_child(char **command)
{
    for (; *command; command++)
        if (!strcmp(*command, "create"))
            return 1;
    return 0;
}

static void run_command(const struct line *line, char **command, struct sample *sample)
{
    struct rusage usage;
    int status;
    pid_t child = vfork();
    if (child == 0) {
        execv(command[0], command);
        _exit(127);
    }
    if (child == -1 || wait4(child, &status, 0, &usage) != child)
        fail(line, command, strerror(errno));
    if (status != 0)
        fail(line, command, "did not exit with status 0");
    account(sample, &usage);
    if (!leaves_waiting_child(command))
        reap_orphans(sample);
}

static long now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000L + time.tv_nsec;
}

static void take_sample(const struct line *line, int print)
{
    /* The kernel takes network namespaces down in the background: the next candidate shall not pay for it. */
    const struct timespec pause = {.tv_nsec = 15 * 1000 * 1000};
    nanosleep(&pause, NULL);
    struct sample sample = {0};
    long start = now();
    for (char *const *word = line->words + 2; *word; word++) {
        char **command = (char **)word;
        run_command(line, command, &sample);
        while (*word)
            word++;
    }
    long elapsed = now() - start;
    if (print)
        printf("%s %s %ld %ld %ld\n", line->words[0], line->words[1], elapsed, sample.peak_kib, sample.cpu_microseconds);
}

static void measure_case(const struct line *from, const struct line *to, int rounds, int warmups)
{
    for (int round = -warmups; round < rounds; round++)
        for (const struct line *line = from; line < to; line++)
            take_sample(line, round >= 0);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: measure ROUNDS WARMUPS <plan >samples\n");
        return 1;
    }
    int lines = read_plan();
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    /* The samples keep our output; the commands, and containers made by them, get none. */
    int output = dup(1), null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (output == -1 || null == -1 || dup2(null, 0) == -1 || dup2(null, 1) == -1 || fcntl(output, F_SETFD, FD_CLOEXEC))
        return 1;
    stdout = fdopen(output, "w");
    for (int from = 0, to; from < lines; from = to) {
        for (to = from + 1; to < lines && !strcmp(plan[to].words[0], plan[from].words[0]); to++)
            ;
        measure_case(&plan[from], &plan[to], atoi(argv[1]), atoi(argv[2]));
    }
    return fclose(stdout) != 0;
}
