/*
 * trafficcopy-supervise PROGRAM ARGUMENT...: the first process of the copy's sidecar container.
 *
 * A sidecar's readiness is the readiness of its pod: would the container end, the pod of production would leave its
 * Services until the kubelet has started the container again, each time after a longer wait. So this process never ends
 * by itself. It starts the copy again when it crashed (1 s later, then 2, 4, ... 64 s), and goes to sleep when the copy was
 * told to stop (exit code 0) or cannot work here (2, wrong use): what is left of it then is one page or two of memory.
 * SIGTERM, SIGINT, SIGHUP and SIGQUIT are passed on; SIGTERM and SIGINT end this process too, as soon as the copy has ended.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { EXIT_DONE = 0, EXIT_USAGE = 2, DELAY_FIRST_S = 1, DELAY_MAX_S = 64, STEADY_S = 60 };

static sigset_t signals;

static time_t now_s(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec;
}

static bool ends_us(int signal_number) { return signal_number == SIGTERM || signal_number == SIGINT; }

static pid_t start(char *const program[]) {
  pid_t pid = fork();
  if (pid != 0) return pid;
  sigprocmask(SIG_UNBLOCK, &signals, NULL);
  execvp(program[0], program);
  fprintf(stderr, "trafficcopy-supervise: cannot run %s: %s\n", program[0], strerror(errno));
  _exit(EXIT_USAGE);
}

/* Takes the exit status of the program, if it has ended, and of every orphan that has become ours. */
static bool reap(pid_t program, int *status) {
  bool has_ended = false;
  int some_status;
  for (pid_t pid; (pid = waitpid(-1, &some_status, WNOHANG)) > 0;) {
    if (pid != program) continue;
    *status = some_status;
    has_ended = true;
  }
  return has_ended;
}

/* Runs the program until it ends; true when a signal asked for that. */
static bool run(char *const program[], int *status) {
  bool is_ending = false;
  pid_t pid = start(program);
  if (pid < 0) {
    perror("trafficcopy-supervise: fork");
    *status = 1 << 8;
    return false;
  }
  for (;;) {
    int signal_number = sigwaitinfo(&signals, NULL);
    if (signal_number == SIGCHLD) {
      if (reap(pid, status)) return is_ending;
    } else if (signal_number > 0) {
      is_ending = is_ending || ends_us(signal_number);
      kill(pid, signal_number);
    }
  }
}

/* Sleeps for `seconds`, or for ever when negative; true when a signal asked for the end. */
static bool doze(long seconds) {
  time_t until = now_s() + seconds;
  for (;;) {
    struct timespec left = {.tv_sec = seconds < 0 ? 3600 : until - now_s()};
    if (left.tv_sec <= 0) return false;
    int signal_number = sigtimedwait(&signals, NULL, &left);
    if (signal_number == SIGCHLD) {
      int status;
      reap(0, &status);
    } else if (signal_number > 0 && ends_us(signal_number)) {
      return true;
    }
  }
}

static void say_how_it_ended(int status, long delay_s) {
  const char *how = WIFSIGNALED(status) ? "was killed by signal" : "ended with code";
  int number = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
  if (delay_s < 0) {
    fprintf(stderr, "trafficcopy-supervise: the copy %s %d: asleep from here on\n", how, number);
  } else {
    fprintf(stderr, "trafficcopy-supervise: the copy %s %d: started again in %ld s\n", how, number, delay_s);
  }
}

int main(int argc, char *argv[]) {
  if (argc < 2) {
    fputs("usage: trafficcopy-supervise PROGRAM ARGUMENT...\n", stderr);
    return EXIT_USAGE;
  }
  const int handled[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGCHLD};
  sigemptyset(&signals);
  for (size_t index = 0; index < sizeof handled / sizeof *handled; index++) sigaddset(&signals, handled[index]);
  sigprocmask(SIG_BLOCK, &signals, NULL);

  for (long delay_s = DELAY_FIRST_S;; delay_s = delay_s * 2 > DELAY_MAX_S ? DELAY_MAX_S : delay_s * 2) {
    int status = 0;
    time_t started = now_s();
    if (run(argv + 1, &status)) return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_DONE;
    bool is_over = WIFEXITED(status) && (WEXITSTATUS(status) == EXIT_DONE || WEXITSTATUS(status) == EXIT_USAGE);
    if (now_s() - started >= STEADY_S) delay_s = DELAY_FIRST_S;
    say_how_it_ended(status, is_over ? -1 : delay_s);
    if (doze(is_over ? -1 : delay_s)) return EXIT_DONE;
  }
}
