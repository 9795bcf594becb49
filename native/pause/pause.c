/*
 * What a copy in a native sidecar becomes when its TrafficCopy has ended: a kubelet starts a sidecar that ended again, for ever, so
 * it must go on existing, at the cost of one page or two. Sleeps, reaps what is left to it as process 1, and ends when told to.
 */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static void Reap(int number) {
  (void)number;
  while (waitpid(-1, NULL, WNOHANG) > 0) {
  }
}

static void End(int number) {
  (void)number;
  _exit(0);
}

int main(void) {
  sigset_t none;
  signal(SIGINT, End);
  signal(SIGTERM, End);
  signal(SIGCHLD, Reap);
  // Whoever was replaced by this may have left signals blocked, and a child behind that ended before.
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  Reap(SIGCHLD);
  for (;;) pause();
}
