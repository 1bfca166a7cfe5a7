#ifndef CVARVE_THREAD_H
#define CVARVE_THREAD_H

/// Gives the calling thread a name of at most 15 bytes.
void cvarve_name_this_thread(const char *name);

/// Gives the calling thread a nice value, 0 to 19: the higher, the more it leaves to the others where processors are short.
void cvarve_nice_this_thread(int nice);

#endif
