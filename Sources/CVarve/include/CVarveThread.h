#ifndef CVARVE_THREAD_H
#define CVARVE_THREAD_H

/// Gives the calling thread a name of at most 15 bytes.
void cvarve_name_this_thread(const char *name);

#endif
