/* Where a Python's library and its standard library are: by its program, as Python itself would find them. */
#define _GNU_SOURCE
#define TOSSL_LOADER
#include "loader.h"

#include <stdio.h>
#include <string.h>

#if defined(__linux__) && defined(__x86_64__)
#define MULTIARCH "lib/x86_64-linux-gnu"
#elif defined(__linux__) && defined(__aarch64__)
#define MULTIARCH "lib/aarch64-linux-gnu"
#elif defined(__linux__) && defined(__arm__)
#define MULTIARCH "lib/arm-linux-gnueabihf"
#elif defined(__linux__) && defined(__i386__)
#define MULTIARCH "lib/i386-linux-gnu"
#elif defined(__linux__) && defined(__riscv)
#define MULTIARCH "lib/riscv64-linux-gnu"
#elif defined(__linux__) && defined(__powerpc64__)
#define MULTIARCH "lib/powerpc64le-linux-gnu"
#elif defined(__linux__) && defined(__s390x__)
#define MULTIARCH "lib/s390x-linux-gnu"
#else
#define MULTIARCH "lib"
#endif

/* ---- its library ---- */

typedef struct {
    char (*paths)[TOSSL_PATH_SIZE];
    int count, most;
} Places;

static void addPlace(Places *places, const char *folder, const char *name)
{
    int i;

    if (places->count == places->most ||
        !TosslSetText(places->paths[places->count], TOSSL_PATH_SIZE, *folder ? "%s/%s" : "%s%s", folder, name)) {
        return;
    }
    for (i = 0; i < places->count; i++) {
        if (strcmp(places->paths[i], places->paths[places->count]) == 0) {
            return;
        }
    }
    places->count++;
}

/* A library's file names: with the letters that the program's name has. */
static void nameLibrary(const TosslPython *python, char name[64])
{
#if defined(_WIN32)
    const char *dot = strchr(python->version, '.');

    snprintf(name, 64, "python%.*s%s.dll", (int)(dot ? dot - python->version : 0), python->version, dot ? dot + 1 : "");
#elif defined(__APPLE__)
    snprintf(name, 64, "libpython%s.dylib", python->version);
#else
    snprintf(name, 64, "libpython%s.so.1.0", python->version);
#endif
}

static void addPlaces(Places *places, const char *prefix, const char *name)
{
    static const char *const folders[] = {"lib", "lib64", MULTIARCH};
    char folder[TOSSL_PATH_SIZE];
    size_t i;

#if defined(_WIN32)
    addPlace(places, prefix, name);
#elif defined(__APPLE__)
    addPlace(places, prefix, "Python"); /* of a framework */
#endif
    for (i = 0; i < sizeof folders / sizeof *folders; i++) {
        if (TosslSetText(folder, sizeof folder, "%s/%s", prefix, folders[i])) {
            addPlace(places, folder, name);
        }
    }
}

/* Sets the folders in which a program's Python may be: that of its environment, and that behind its links. */
static void findPrefixes(TosslPython *python, char prefixes[2][TOSSL_PATH_SIZE])
{
    prefixes[0][0] = prefixes[1][0] = '\0';
    if (*python->home != '\0') {
        TosslSetText(prefixes[0], TOSSL_PATH_SIZE, "%s%s", python->home, "");
        return;
    }
    TosslReadProgram(python, prefixes[0]);
    TosslFollow(python->program, prefixes[1]);
    if (*prefixes[0] != '\0') {
#if !defined(_WIN32)
        TosslGoUp(prefixes[0]); /* from its bin */
#endif
    }
    TosslGoUp(prefixes[1]);
#if !defined(_WIN32)
    TosslGoUp(prefixes[1]);
#endif
}

int TosslListLibraries(const TosslPython *python, char paths[][TOSSL_PATH_SIZE], int most)
{
    Places places = {.paths = paths, .most = most};
    char prefixes[2][TOSSL_PATH_SIZE], name[64];
    TosslPython copy = *python;
    int i;

    if (*python->library != '\0') {
        addPlace(&places, "", python->library);
        return places.count;
    }
    nameLibrary(python, name);
    findPrefixes(&copy, prefixes);
    for (i = 0; i < 2; i++) {
        if (*prefixes[i] != '\0') {
            addPlaces(&places, prefixes[i], name);
        }
    }
    addPlace(&places, "", name);
    return places.count;
}

/* ---- its standard library ---- */

/* Returns whether that folder has what Python reads of `encodings` when it starts: it complains to the terminal of a lack. */
static int hasEncodings(const char *prefix, const char *folder)
{
    static const char *const modules[] = {"__init__", "aliases", "utf_8"};
    char name[100];
    size_t i;

    for (i = 0; i < sizeof modules / sizeof *modules; i++) {
        snprintf(name, sizeof name, "%s/encodings/%s.pyc", folder, modules[i]); /* of a library without sources */
        if (!TosslHasText(prefix, name)) {
            name[strlen(name) - 1] = '\0';
            if (!TosslHasText(prefix, name)) {
                return 0;
            }
        }
    }
    return 1;
}

/* Returns whether a prefix has the standard library: as files, or zipped. */
static int isPrefix(const TosslPython *python, const char *prefix)
{
    static const char *const folders[] = {"lib", "lib64"};
    const char *dot = strchr(python->version, '.');
    char name[64];
    size_t i;

#if defined(_WIN32)
    if (hasEncodings(prefix, "Lib")) {
        return 1;
    }
#endif
    for (i = 0; i < sizeof folders / sizeof *folders; i++) {
        snprintf(name, sizeof name, "%s/python%s", folders[i], python->version);
        if (hasEncodings(prefix, name)) {
            return 1;
        }
        snprintf(name, sizeof name, "%s/python%.*s%s.zip", folders[i], (int)(dot ? dot - python->version : 0),
                 python->version, dot ? dot + 1 : "");
        if (TosslHasText(prefix, name)) {
            return 1;
        }
    }
    return 0;
}

/* Goes up from a path to a folder with the standard library; returns whether there is one. */
static int searchUp(const TosslPython *python, char path[TOSSL_PATH_SIZE])
{
    do {
        if (isPrefix(python, path)) {
            return 1;
        }
    } while (TosslGoUp(path));
    return 0;
}

/* Makes sure that Python will find its standard library; tells it the folder, if only the library leads there. */
int TosslFindHome(Tcl_Interp *interp, TosslPython *python, const char *library)
{
    char prefixes[2][TOSSL_PATH_SIZE], path[TOSSL_PATH_SIZE];
    int i;

    findPrefixes(python, prefixes);
    for (i = 0; i < 2; i++) {
        if (*prefixes[i] != '\0' && TosslSetText(path, sizeof path, "%s%s", prefixes[i], "") && searchUp(python, path)) {
            return TCL_OK;
        }
    }
    TosslFollow(library, path);
    if (*python->home == '\0' && searchUp(python, path)) {
        TosslSetText(python->home, TOSSL_PATH_SIZE, "%s%s", path, "");
        return TCL_OK;
    }
    return TosslRefuse(interp, Tcl_ObjPrintf("Python %s has no standard library that is whole and readable: lib/python%s/encodings was looked for in %s, "
                                             "named by %s, and above %s; install it (Debian: apt-get install "
                                             "libpython%s-stdlib), or %s",
                                             python->version, python->version,
                                             *prefixes[1] ? prefixes[1] : prefixes[0], python->source, library,
                                             python->version, python->mend));
}
