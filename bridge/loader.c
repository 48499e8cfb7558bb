/*
 * Called by Tcl's `load`. Finds the Python of this process, else the one that tossl was installed for, and opens the
 * bridge for it and for this Tcl, which is linked with no Python: it finds Python's symbols in the process.
 */
#define _GNU_SOURCE
#define TCL_THREADS 1 /* else Tcl_MutexLock() does nothing */
#define TOSSL_LOADER
#include "loader.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(_WIN32)
#include <windows.h>
#else
#include <dirent.h>
#include <dlfcn.h>
#include <sys/stat.h>
#endif

#define MOST_PLACES 10
#define BRIDGE "tossl-tcl" TOSSL_TCL "-python"

static Tcl_Mutex loading;
static TosslOpenBridge *openBridge; /* once it was found */
static TosslPython python;          /* that it starts */

int TosslRefuse(Tcl_Interp *interp, Tcl_Obj *reason)
{
    Tcl_SetObjResult(interp, reason);
    Tcl_SetErrorCode(interp, "TOSSL", "PYTHON", (char *)NULL);
    return TCL_ERROR;
}

/* ---- what differs between systems ---- */

#if defined(_WIN32)

static int findFolder(char folder[TOSSL_PATH_SIZE])
{
    HMODULE self;
    char *slash;

    if (!GetModuleHandleExA(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT,
                            (LPCSTR)(void *)(intptr_t)TosslRefuse, &self) ||
        GetModuleFileNameA(self, folder, TOSSL_PATH_SIZE) == 0 || (slash = strrchr(folder, '\\')) == NULL) {
        return 0;
    }
    *slash = '\0';
    return 1;
}

static void *openLibrary(const char *path, int isForAll)
{
    (void)isForAll;
    return LoadLibraryExA(path, NULL, strchr(path, '\\') ? LOAD_WITH_ALTERED_SEARCH_PATH : 0);
}

static void closeLibrary(void *library)
{
    FreeLibrary(library);
}

static const char *sayError(void)
{
    static char text[32];

    snprintf(text, sizeof text, "error %lu", GetLastError());
    return text;
}

static void *findSymbol(void *library, const char *name)
{
    return (void *)(intptr_t)GetProcAddress(library ? library : GetModuleHandleA(NULL), name);
}

static void locate(const void *symbol, char path[TOSSL_PATH_SIZE])
{
    HMODULE library;

    if (GetModuleHandleExA(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT, symbol,
                           &library)) {
        GetModuleFileNameA(library, path, TOSSL_PATH_SIZE);
    }
}

static int isSameFile(const char *one, const char *other)
{
    return _stricmp(one, other) == 0;
}

static int exists(const char *path)
{
    return GetFileAttributesA(path) != INVALID_FILE_ATTRIBUTES;
}

static Tcl_Obj *listBridges(const char *folder)
{
    (void)folder;
    return Tcl_NewStringObj("others", -1);
}

#else

/* Returns this library's folder, symbolic links resolved. */
static int findFolder(char folder[TOSSL_PATH_SIZE])
{
    Dl_info info;
    char *path = dladdr((void *)(intptr_t)TosslRefuse, &info) ? realpath(info.dli_fname, NULL) : NULL;
    char *slash = path ? strrchr(path, '/') : NULL;
    int length = slash ? snprintf(folder, TOSSL_PATH_SIZE, "%.*s", (int)(slash - path), path) : -1;

    free(path);
    return length >= 0 && length < TOSSL_PATH_SIZE;
}

static void *openLibrary(const char *path, int isForAll)
{
    return dlopen(path, RTLD_NOW | (isForAll ? RTLD_GLOBAL : RTLD_LOCAL));
}

static void closeLibrary(void *library)
{
    dlclose(library);
}

static const char *sayError(void)
{
    const char *text = dlerror();

    return text ? text : "unknown error";
}

static void *findSymbol(void *library, const char *name)
{
    return dlsym(library ? library : RTLD_DEFAULT, name);
}

/* Sets the path of the library that has the symbol. */
static void locate(const void *symbol, char path[TOSSL_PATH_SIZE])
{
    Dl_info info;

    if (dladdr(symbol, &info) != 0 && info.dli_fname != NULL) {
        snprintf(path, TOSSL_PATH_SIZE, "%s", info.dli_fname);
    }
}

static int isSameFile(const char *one, const char *other)
{
    struct stat a, b;

    return stat(one, &a) == 0 && stat(other, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static int exists(const char *path)
{
    struct stat is;

    return stat(path, &is) == 0;
}

/* Names the versions that the folder has bridges for. */
static Tcl_Obj *listBridges(const char *folder)
{
    Tcl_Obj *list = Tcl_NewObj();
    DIR *entries = opendir(folder);
    struct dirent *entry;
    const char *end;

    while (entries != NULL && (entry = readdir(entries)) != NULL) {
        end = strstr(entry->d_name, TOSSL_LIBRARY_END);
        if (strncmp(entry->d_name, BRIDGE, strlen(BRIDGE)) == 0 && end != NULL) {
            Tcl_AppendPrintfToObj(list, "%s%.*s", Tcl_GetCharLength(list) ? ", " : "",
                                  (int)(end - entry->d_name - (long)strlen(BRIDGE)), entry->d_name + strlen(BRIDGE));
        }
    }
    if (entries != NULL) {
        closedir(entries);
    }
    if (Tcl_GetCharLength(list) == 0) {
        Tcl_AppendToObj(list, "none", -1);
    }
    return list;
}

#endif

/* ---- the bridge ---- */

/* Adds what mends the lack of a bridge for that version. */
static void advise(Tcl_Obj *message, const char *version)
{
    const char *dot = strchr(version, '.');

    if (strchr(version, 't') != NULL) {
        Tcl_AppendToObj(message, "; a free-threaded Python cannot be used", -1);
    } else if (atoi(version) < 3 || (atoi(version) == 3 && dot != NULL && atoi(dot + 1) < 11)) {
        Tcl_AppendToObj(message, "; Python 3.11 is the first that tossl can use", -1);
    } else {
        Tcl_AppendPrintfToObj(message, ", or build tossl with make PYTHON=python%s", version);
    }
}

/* Sets the bridge's path. Refuses if it is not there; `what` says whose version it is. */
static int findBridge(Tcl_Interp *interp, const char *folder, const char *version, const char *what,
                      char path[TOSSL_PATH_SIZE])
{
    int length = snprintf(path, TOSSL_PATH_SIZE, "%s/" BRIDGE "%s" TOSSL_LIBRARY_END, folder, version);
    Tcl_Obj *message, *bridges;

    if (length < TOSSL_PATH_SIZE && exists(path)) {
        return TCL_OK;
    }
    bridges = listBridges(folder);
    Tcl_IncrRefCount(bridges);
    message = Tcl_ObjPrintf("%s, but this tossl is built for Python %s (in %s, for Tcl " TCL_VERSION "): use that", what,
                            Tcl_GetString(bridges), folder);
    Tcl_DecrRefCount(bridges);
    advise(message, version);
    return TosslRefuse(interp, message);
}

/* Opens the bridge: it must find all of Python's symbols in the process now. */
static int open(Tcl_Interp *interp, const char *path)
{
    void *bridge = openLibrary(path, 0);

    openBridge = bridge ? (TosslOpenBridge *)(intptr_t)findSymbol(bridge, "TosslOpen") : NULL;
    if (openBridge == NULL) {
        return TosslRefuse(interp, Tcl_ObjPrintf("cannot open tossl's bridge to Python: %s", sayError()));
    }
    return TCL_OK;
}

/* ---- words ---- */

/* Returns the words for the choice: "/usr/bin/python3, named by TOSSL_PYTHON, is of Python 3.8". */
static const char *describeChoice(void)
{
    static char text[3 * TOSSL_PATH_SIZE]; /* under the lock */

    snprintf(text, sizeof text, "%s, named by %s, is of Python %s", *python.program ? python.program : python.home,
             python.source, python.version);
    return text;
}

/* ---- a Python in the process ---- */

/* Returns the words for one: "this process has Python 3.8.1 already (LIBRARY)". */
static const char *describe(const TosslPresent *present)
{
    static char text[TOSSL_PATH_SIZE + 100]; /* under the lock */
    const char *version = present->getVersion();

    snprintf(text, sizeof text, "this process is or has Python %.*s%s already (%s)", (int)strcspn(version, " "), version,
             strstr(version, "free-threading build") ? "t" : "", present->library);
    return text;
}

/* Refuses two Pythons, of different versions or both in use: each would call functions of the other. */
static int checkOthers(Tcl_Interp *interp, const TosslPresent *found, int count)
{
    char first[16], other[16];
    const char *version;
    int i;

    TosslReadVersion(found[0].getVersion(), first);
    for (i = 1; i < count; i++) {
        version = found[i].getVersion();
        TosslReadVersion(version, other);
        if (strcmp(first, other) != 0 || found[i].isStarted()) {
            return TosslRefuse(interp, Tcl_ObjPrintf("%s, and another, Python %.*s (%s): use only one of them in a process",
                                                     describe(found), (int)strcspn(version, " "), version,
                                                     found[i].library));
        }
    }
    return TCL_OK;
}

/* Lets everybody find its symbols: Python's extension modules and the bridge look for them in the process. */
static int share(Tcl_Interp *interp, const TosslPresent *present)
{
    if (!present->isGlobal && openLibrary(present->library, 1) == NULL) {
        return TosslRefuse(interp, Tcl_ObjPrintf("cannot share Python's symbols: %s", sayError()));
    }
    return TCL_OK;
}

/* Checks a Python that nobody has started: it must be the one whose standard library it would get. */
static int checkUnstarted(Tcl_Interp *interp, const char *folder, const TosslPresent *present, const char *version)
{
    char places[MOST_PLACES][TOSSL_PATH_SIZE];
    int count, i;

    if (TosslReadChoice(interp, folder, &python) != TCL_OK) {
        return TCL_ERROR;
    }
    if (strcmp(python.version, version) != 0) {
        return TosslRefuse(interp, Tcl_ObjPrintf("%s, but %s: use only one of them in a process",
                                                 describe(present), describeChoice()));
    }
    count = TosslListLibraries(&python, places, MOST_PLACES);
    for (i = 0; i < count && !isSameFile(places[i], present->library); i++) {
    }
    if (i == count && strstr(present->library, "libpython") != NULL) {
        return TosslRefuse(interp, Tcl_ObjPrintf("%s, but %s and belongs to %s: start this process without "
                                                 "LD_PRELOAD and LD_LIBRARY_PATH, or let TOSSL_PYTHON name a python that "
                                                 "belongs to the library in the process",
                                                 describe(present), describeChoice(), places[0]));
    }
    return TosslFindHome(interp, &python, present->library);
}

/* Uses the Python that is here. Its version is compared before anything else of it is called. */
static int usePresent(Tcl_Interp *interp, const char *folder, const TosslPresent *found, int count)
{
    char version[16], bridge[TOSSL_PATH_SIZE];

    TosslReadVersion(found->getVersion(), version);
    if (checkOthers(interp, found, count) != TCL_OK ||
        findBridge(interp, folder, version, describe(found), bridge) != TCL_OK || share(interp, found) != TCL_OK) {
        return TCL_ERROR;
    }
    if (!found->isStarted() && checkUnstarted(interp, folder, found, version) != TCL_OK) {
        return TCL_ERROR;
    }
    return open(interp, bridge);
}

/* ---- a Python that is opened now ---- */

static int refuseMissing(Tcl_Interp *interp, char places[][TOSSL_PATH_SIZE], int count, Tcl_Obj *reasons)
{
    Tcl_Obj *list = Tcl_NewObj();
    int i;

    Tcl_IncrRefCount(list);
    for (i = 0; i < count; i++) {
        Tcl_AppendPrintfToObj(list, i ? ", %s" : "%s", places[i]);
    }
    TosslRefuse(interp, Tcl_ObjPrintf("%s, and the library of that Python is not there: looked for %s%s. Was that Python upgraded, moved or removed? Install "
                                      "its library (Debian: apt-get install libpython%s), or %s",
                                      describeChoice(), Tcl_GetString(list), Tcl_GetString(reasons), python.version,
                                      python.mend));
    Tcl_DecrRefCount(list);
    return TCL_ERROR;
}

/* Opens the first libpython that is there. */
static void *openPython(Tcl_Interp *interp, char path[TOSSL_PATH_SIZE])
{
    char places[MOST_PLACES][TOSSL_PATH_SIZE];
    int count = TosslListLibraries(&python, places, MOST_PLACES), i;
    Tcl_Obj *reasons = Tcl_NewObj();
    void *library = NULL;

    Tcl_IncrRefCount(reasons);
    for (i = 0; i < count && library == NULL; i++) {
        if (strpbrk(places[i], "/\\") == NULL || exists(places[i])) {
            library = openLibrary(places[i], 1);
            memcpy(path, places[i], TOSSL_PATH_SIZE);
            if (library == NULL && strpbrk(places[i], "/\\") != NULL) {
                Tcl_AppendPrintfToObj(reasons, " (%s)", sayError());
            }
        }
    }
    if (library == NULL) {
        refuseMissing(interp, places, count, reasons);
    }
    Tcl_DecrRefCount(reasons);
    return library;
}

/* Compares the version that the library itself has, and sets its path if the system has found it. */
static int checkOpened(Tcl_Interp *interp, void *library, char path[TOSSL_PATH_SIZE])
{
    const char *(*getVersion)(void) = (const char *(*)(void))(intptr_t)findSymbol(library, "Py_GetVersion");
    const char *text = getVersion ? getVersion() : "none";
    char version[16];

    if (getVersion != NULL) {
        locate((void *)(intptr_t)getVersion, path);
    }
    TosslReadVersion(text, version);
    if (strcmp(version, python.version) != 0) {
        return TosslRefuse(interp, Tcl_ObjPrintf("%s is the library of Python %.*s, but %s; %s", path,
                                                 (int)strcspn(text, " "), text, describeChoice(), python.mend));
    }
    return TCL_OK;
}

static int openInstalled(Tcl_Interp *interp, const char *folder)
{
    char bridge[TOSSL_PATH_SIZE], path[TOSSL_PATH_SIZE];
    void *library;

    if (TosslReadChoice(interp, folder, &python) != TCL_OK ||
        findBridge(interp, folder, python.version, describeChoice(), bridge) != TCL_OK) {
        return TCL_ERROR;
    }
    library = openPython(interp, path);
    if (library == NULL) {
        return TCL_ERROR;
    }
    if (checkOpened(interp, library, path) != TCL_OK || TosslFindHome(interp, &python, path) != TCL_OK ||
        open(interp, bridge) != TCL_OK) {
        closeLibrary(library); /* the next try finds the process as this one did */
        return TCL_ERROR;
    }
    return TCL_OK;
}

/* ---- the way in ---- */

static int findPython(Tcl_Interp *interp)
{
    static TosslPresent found[TOSSL_MOST_PRESENT]; /* under the lock */
    char folder[TOSSL_PATH_SIZE];
    int count;

    if (!findFolder(folder)) {
        return TosslRefuse(interp, Tcl_NewStringObj("cannot tell the folder of tossl's own library", -1));
    }
    count = TosslListPresent(found);
    return count > 0 ? usePresent(interp, folder, found, count) : openInstalled(interp, folder);
}

/* A Tcl that is not the one of this library only looks at the first word of its interpreters for a reason. */
static int initStubs(Tcl_Interp *interp)
{
    static char reason[] = "this library of tossl is for Tcl " TCL_VERSION
#if TCL_MAJOR_VERSION >= 9
                           "; that for Tcl 8.6 is libtossl" TOSSL_LIBRARY_END;
#else
                           "; that for Tcl 9 is libtcl9tossl" TOSSL_LIBRARY_END;
#endif
    struct {
        char *result;
    } *legacy = (void *)interp;

    if (Tcl_InitStubs(interp, TCL_VERSION, 0) != NULL) {
        return 1;
    }
    if (legacy->result != NULL && strncmp(legacy->result, "interpreter uses an incompatible stubs", 38) == 0) {
        legacy->result = reason;
    }
    return 0;
}

DLLEXPORT int Tossl_Init(Tcl_Interp *interp)
{
    int code = TCL_OK;

    if (!initStubs(interp)) {
        return TCL_ERROR;
    }
    Tcl_MutexLock(&loading);
    if (openBridge == NULL) {
        code = findPython(interp);
    }
    Tcl_MutexUnlock(&loading);
    return code == TCL_OK ? openBridge(interp, &python) : TCL_ERROR;
}

DLLEXPORT int Tossl_SafeInit(Tcl_Interp *interp)
{
    if (!initStubs(interp)) {
        return TCL_ERROR;
    }
    Tcl_SetObjResult(interp, Tcl_NewStringObj("package tossl cannot be loaded into a safe interpreter: "
                                              "it opens network connections and reads and writes files", -1));
    Tcl_SetErrorCode(interp, "TOSSL", "SAFE", (char *)NULL);
    return TCL_ERROR;
}
