/*
 * To be preloaded: lets Python take every object from malloc, where memcheck and AddressSanitizer watch it. The bridge
 * starts Python isolated, so PYTHONMALLOC would not be heard, as it should be.
 */
#define _GNU_SOURCE
#include <Python.h>
#include <dlfcn.h>

void PyPreConfig_InitIsolatedConfig(PyPreConfig *config)
{
    void (*original)(PyPreConfig *);

    original = (void (*)(PyPreConfig *))(intptr_t)dlsym(RTLD_NEXT, "PyPreConfig_InitIsolatedConfig");
    original(config);
    config->allocator = PYMEM_ALLOCATOR_MALLOC;
}
