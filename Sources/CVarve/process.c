// A child process that does not outlive its parent (between fork and exec only calls that are safe there), and how this
// process allocates.
#define _GNU_SOURCE
#include "include/CVarveProcess.h"

#include <fcntl.h>
#if defined(__GLIBC__)
#include <malloc.h>
#endif
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

int cvarve_start_child(const char *path, char *const arguments[], int output, int error) {
  pid_t parent = getpid();
  pid_t child = fork();
  if (child != 0) return child;
  // A Ctrl-C at the terminal is the parent's to handle.
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  // The parent may have ended before the line above.
  if (getppid() != parent) _exit(127);
  int input = open("/dev/null", O_RDONLY);
  if (input < 0 || dup2(input, 0) < 0 || dup2(output, 1) < 0 || dup2(error, 2) < 0) _exit(127);
  execv(path, arguments);
  _exit(127);
}

void cvarve_limit_arenas(int count) {
#if defined(__GLIBC__)
  mallopt(M_ARENA_MAX, count);
#else
  (void)count;
#endif
}
