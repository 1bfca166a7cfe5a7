#ifndef CVARVE_PROCESS_H
#define CVARVE_PROCESS_H

/// Runs the program `path` with `arguments` (which end in NULL) as a child in a process group of its own; its standard
/// output and error become these descriptors. It is killed when the calling thread ends, however that comes about.
/// Answers the child's number, or -1 with errno.
int cvarve_start_child(const char *path, char *const arguments[], int output, int error);

/// Has the C library's allocator keep this process's memory in at most `count` arenas. Before there are threads.
void cvarve_limit_arenas(int count);

#endif
