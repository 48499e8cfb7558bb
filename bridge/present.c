/* Which Pythons are in the process already: the process itself, or what another extension has brought. */
#define _GNU_SOURCE
#define TOSSL_LOADER
#include "loader.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#if defined(_WIN32)
#include <windows.h>
#include <psapi.h>
#else
#include <dlfcn.h>
#if defined(__APPLE__)
#include <mach-o/dyld.h>
#else
#include <link.h>
#endif
#endif

#define MOST_LIBRARIES 1024

typedef struct {
    int count;
    const char *names[MOST_LIBRARIES];
} Libraries;

void TosslReadVersion(const char *text, char version[16])
{
    size_t length = strspn(text, "0123456789");

    if (text[length] == '.') {
        length++;
        length += strspn(text + length, "0123456789");
    }
    if (length > 12) {
        length = 12;
    }
    memcpy(version, text, length);
    version[length] = '\0';
    if (strstr(text, "free-threading build") != NULL) {
        strcat(version, "t");
    }
}

#if defined(_WIN32)

int TosslListPresent(TosslPresent found[TOSSL_MOST_PRESENT])
{
    HMODULE modules[MOST_LIBRARIES];
    DWORD size = 0, i;
    FARPROC getVersion;
    int count = 0;

    if (!EnumProcessModules(GetCurrentProcess(), modules, sizeof modules, &size)) {
        return 0;
    }
    for (i = 0; i < size / sizeof *modules && i < MOST_LIBRARIES && count < TOSSL_MOST_PRESENT; i++) {
        getVersion = GetProcAddress(modules[i], "Py_GetVersion");
        if (getVersion != NULL && GetProcAddress(modules[i], "Py_IsInitialized") != NULL) {
            found[count].getVersion = (const char *(*)(void))(void (*)(void))getVersion;
            found[count].isStarted = (int (*)(void))(void (*)(void))GetProcAddress(modules[i], "Py_IsInitialized");
            found[count].isGlobal = 1;
            GetModuleFileNameA(modules[i], found[count].library, TOSSL_PATH_SIZE);
            count++;
        }
    }
    return count;
}

#else

#if defined(__APPLE__)

static void listLibraries(Libraries *libraries)
{
    uint32_t i;

    for (i = 0; i < _dyld_image_count() && libraries->count < MOST_LIBRARIES; i++) {
        libraries->names[libraries->count++] = _dyld_get_image_name(i);
    }
}

#else

/* Keeps names for later: no library can be opened while they are listed. */
static int noteLibrary(struct dl_phdr_info *info, size_t size, void *libraries)
{
    Libraries *list = libraries;

    (void)size;
    if (strchr(info->dlpi_name, '/') != NULL && list->count < MOST_LIBRARIES) {
        list->names[list->count++] = info->dlpi_name;
    }
    return list->count == MOST_LIBRARIES;
}

static void listLibraries(Libraries *libraries)
{
    (void)dl_iterate_phdr(noteLibrary, libraries);
}

#endif

/* Adds the Python of that library to those found; leaves out one that is known already. */
static int addPresent(TosslPresent found[TOSSL_MOST_PRESENT], int count, void *library)
{
    void *getVersion = dlsym(library, "Py_GetVersion"), *isStarted = dlsym(library, "Py_IsInitialized");
    Dl_info info;
    int i;

    for (i = 0; i < count; i++) {
        if ((void *)(intptr_t)found[i].getVersion == getVersion) {
            return count;
        }
    }
    if (getVersion == NULL || isStarted == NULL || count == TOSSL_MOST_PRESENT) {
        return count;
    }
    found[count].getVersion = (const char *(*)(void))(intptr_t)getVersion;
    found[count].isStarted = (int (*)(void))(intptr_t)isStarted;
    found[count].isGlobal = library == RTLD_DEFAULT;
    snprintf(found[count].library, TOSSL_PATH_SIZE, "%s",
             dladdr(getVersion, &info) && info.dli_fname ? info.dli_fname : "this program");
    return count + 1;
}

/* A Python of everybody's is the first of them. */
int TosslListPresent(TosslPresent found[TOSSL_MOST_PRESENT])
{
    static Libraries libraries; /* under the loader's lock */
    int count = addPresent(found, 0, RTLD_DEFAULT), i;
    void *library;

    libraries.count = 0;
    listLibraries(&libraries);
    for (i = 0; i < libraries.count; i++) {
        library = dlopen(libraries.names[i], RTLD_LAZY | RTLD_LOCAL | RTLD_NOLOAD);
        if (library != NULL) {
            count = addPresent(found, count, library);
            dlclose(library);
        }
    }
    return count;
}

#endif
